"""Any string as text that a terminal, a page and a picture can show, whatever a hostile name holds."""


def printable(text: str, *, keep: str = "") -> str:
    """The text on one line, with escapes for what cannot be shown; characters of `keep` stay as they are.

    Escaped are bytes that are not UTF-8 (as `os.fsdecode` gives them), halves of characters (JSON may hold
    them), control characters and line ends (half of a name could look like a line of ours), and the marks
    that turn the direction of writing round (`exe.fdp` for `pdf.exe`). What comes out is valid UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: one byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
