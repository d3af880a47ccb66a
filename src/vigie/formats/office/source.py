"""Source code, mark-up and small structured texts that nothing but their name tells from other text.

What is held against them is what is held against any text: bytes that no text has. Endings that other kinds
of files use as well only hint, and so do those of scripts: an installer may be a script with an archive
behind it.
"""

from vigie.formats.contract import Format
from vigie.formats.office import text


def _recognises(_head: bytes) -> bool:
    # Nothing in the bytes tells one text from another: only the name does.
    return False


_PROGRAMS = (
    "py pyi pyx js mjs cjs jsx tsx c h cc cpp cxx hh hpp hxx java kt kts scala groovy cs vb go rs rb tcl "
    "swift dart erl hrl ex exs hs lhs ml mli clj cljs f90 f95 pas asm vbs vba jl nim zig proto thrift "
    "graphql sql cmake mk ps1 psm1 psd1 awk sed css scss sass less vue svelte"
)
_TEXTS = (
    "yml yaml toml properties env editorconfig gitignore gitattributes desktop service timer rst adoc "
    "asciidoc markdown mkd tex sty bib ltx org texi textile ics ifb vcf vcard ldif srt vtt po diff patch reg "
    "inf url nfo j2 rules dockerfile csl ris nbib"
)
_HINTS = "ps eps afm sh bash zsh ksh csh bat cmd php phtml pl pm lua ts el bas cls tpl tmpl"

FORMAT = Format(
    name="source",
    title="source code or structured text",
    specification="none: text, by its name",
    suffixes=(*_PROGRAMS.split(), *_TEXTS.split()),
    recognises=_recognises,
    dissect=text.plain("source", "text"),
    weak_suffixes=tuple(_HINTS.split()),
    textual=True,
)
