"""HTML, which browsers read whatever its tags are like: text, known by its first tag (Living Standard)."""

import re

from vigie.formats.contract import Format
from vigie.formats.office import text

# 13.1.1 and 13.2.6.4.1: blanks and comments may stand before the type, the type may be missing.
_START = re.compile(
    r"(?:\s|<!--.{0,4096}?-->)*<(?:!doctype\s+(?:html|netscape-bookmark)\b|html[\s>]|head>|body[\s>])",
    re.IGNORECASE | re.DOTALL,
)


def recognises(head: bytes) -> bool:
    """A document type or a first element that only HTML has; with an XML declaration it is XML instead."""
    return _START.match(text.read_head(head)) is not None and text.clean(head)


FORMAT = Format(
    name="html",
    title="HTML page",
    specification="HTML Living Standard, 13.1",
    suffixes=("html", "htm", "shtml", "xhtml"),
    recognises=recognises,
    dissect=text.plain("html", "HTML"),
    textual=True,
)
