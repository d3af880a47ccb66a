"""XML: well-formedness by expat, streamed (XML 1.0, fifth edition)."""

import re
from xml.parsers import expat  # nothing is built and no entity is fetched; see _Guard

from vigie.formats.contract import EFFORT, HEAD, Format, Malformed
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

SLICE = 1024 * 1024
MAX_DEPTH = 1000
MAX_TOKEN = 16 * 1024 * 1024
"""Bytes of one tag, comment or instruction: expat holds each of them whole."""

MAX_ENTITIES = 64 * 1024
"""Bytes of replacement text all entities of a document may have together."""

MAX_DEFAULTS = 500_000
"""Attributes that the document type adds to elements: expat goes through all of them for each element."""

_PROLOG = re.compile(r"(?:\s|<\?(?!xml\s).{0,4096}?\?>|<!--.{0,4096}?-->|<\?xml\s[^>]{0,256}\?>)*", re.DOTALL)
_DOCTYPE = re.compile(r"<!DOCTYPE\s+[A-Za-z_:][\w:.-]*")
_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)(?:\s[^>]*|/)?(?:>|$)")
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")


_SEVERAL = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]
_BARE = re.compile(rb"&[^#A-Za-z_]")
# What CMake, shells, Jinja, PHP and Windows put where a value comes later.
_PLACEHOLDER = re.compile(rb"@[A-Za-z_]\w{0,63}@|\$\{\w|\{\{|\{%|<\?php|<%|%\(\w|%[A-Z_]{2,64}%")


class _Stop(Exception):
    """Reading ends here on purpose; `flaw` says whether the document is to blame."""

    def __init__(self, what: str, *, flaw: bool) -> None:
        super().__init__(what)
        self.what = what
        self.flaw = flaw


class _Guard:
    """Watches an expat parser: depth, and what grows: entities, and attributes that no tag has written.

    No entity is fetched: there is no handler.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.root = ""
        self._entities = 0
        self._added = 0
        self._defaults: dict[str, int] = {}
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity
        self.parser.AttlistDeclHandler = self._attribute
        self.parser.specified_attributes = True

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self.root = self.root or name
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Stop(f"elements nested deeper than {MAX_DEPTH}", flaw=True)
        self._added += self._defaults.get(name, 0)
        if self._added > MAX_DEFAULTS:
            raise _Stop("hundreds of thousands of attributes by default: not read further", flaw=False)

    def _end(self, _name: str) -> None:
        self.depth -= 1

    def _attribute(self, name: str, _attribute: str, _type: str, _default: str | None, _needed: bool) -> None:
        self._defaults[name] = self._defaults.get(name, 0) + 1

    def _entity(
        self,
        _name: str,
        _parameter: bool,
        value: str | None,
        _base: str | None,
        _system: str | None,
        _public: str | None,
        _notation: str | None,
    ) -> None:
        # expat bounds the growth of entities itself since 2.4; these are the braces to its belt. §4.4: in
        # content, they go to the default handler instead of being expanded, once there is one; in attributes
        # they are always expanded, hence the two limits.
        self.parser.DefaultHandler = _ignore
        self._entities += len(value or "")
        if "&" in (value or ""):
            raise _Stop("entities made of entities: not read further", flaw=False)
        if self._entities > MAX_ENTITIES:
            raise _Stop("large entities: not read further", flaw=False)


def _ignore(_data: str) -> None:
    """Take what expat would otherwise expand."""


def root(head: bytes) -> tuple[str, str] | None:
    """Local name of the first element and its whole start tag, if the head of an XML document shows it."""
    words = text.read_head(head)
    prolog = _PROLOG.match(words)
    found = _ROOT.match(words, prolog.end() if prolog else 0)
    return (found[1], found[0]) if found else None


def _recognises(head: bytes) -> bool:
    words = text.read_head(head)
    if words.startswith("<?xml "):
        return True
    prolog = _PROLOG.match(words)
    at = prolog.end() if prolog else 0
    if _DOCTYPE.match(words, at):
        # HTML is not XML: it need not be well-formed.
        return not words[at + 9 :].lstrip().lower().startswith(("html", "netscape-bookmark"))
    return _ROOT.match(words, at) is not None and "xmlns" in words and text.clean(head)


def read(blob: Blob, name: str, effort: int = EFFORT) -> Anatomy:
    """The anatomy of an XML document, under the name of the format that is made of it.

    Raises:
        Malformed: it breaks before its first element, and not because parts of it were overwritten.
        Unreadable: see `Blob.at`.
    """
    notes: list[str] = []
    flaws: tuple[Flaw, ...] = ()
    guard = _Guard()
    parser = guard.parser
    fed = 0
    limit = min(blob.size, effort)
    try:
        while fed < limit:
            data = blob.at(fed, min(SLICE, limit - fed))
            parser.Parse(data, False)
            fed += len(data)
            if fed - max(0, parser.CurrentByteIndex) > MAX_TOKEN + SLICE:
                notes.append("a tag or comment of more than 16 MiB: not read further")
                break
        else:
            if fed < blob.size:
                notes.append("too large to be tested in full")
            else:
                parser.Parse(b"", True)
    except expat.ExpatError as error:
        at = min(max(0, parser.ErrorByteIndex), max(0, blob.size - 1))
        what = expat.ErrorString(error.code) or "not well-formed"
        if text.wide(blob.at(0, HEAD)) in ("utf-32-le", "utf-32-be"):
            notes.append("UTF-32, which is not read here")
        elif error.code == _SEVERAL:
            notes.append("several documents one after another: only the first was read")
        elif reason := _forgiven(blob, at):
            notes.append(f"not well-formed at byte {at}: {reason}")
        elif not guard.root and not text.survey(blob, effort).flaws:
            raise Malformed(at, what) from error
        else:
            flaws = (Flaw(at, min(at + 64, blob.size), f"not well-formed: {what}"),)
    except (LookupError, ValueError):  # from the codec that the document names
        notes.append("an encoding that is not known here: not read further")
    except _Stop as stop:
        if stop.flaw:
            at = max(0, parser.CurrentByteIndex)
            flaws = (Flaw(at, min(at + 64, blob.size), stop.what),)
        else:
            notes.append(stop.what)
    charset = _charset(blob)
    if flaws or notes:  # whatever expat did not get to see is looked at as text
        found = text.survey(blob, effort)
        charset = found.charset
        struck, _ = text.damage(blob, found)
        if guard.root.lower() == "html" and flaws and not found.flaws:
            notes.append("HTML that is not well-formed")  # browsers do not mind, so nobody notices
            flaws = ()
        # What was overwritten is told from its bytes: where expat gave up adds nothing but a wrong place.
        flaws = struck or tuple(sorted((*found.flaws, *flaws), key=lambda f: f.start))
    region = Region(0, blob.size, Kind.STRUCTURED, "XML", charset)
    return Anatomy(name, (region,), flaws, notes=tuple(notes))


def _forgiven(blob: Blob, at: int) -> str | None:
    """Why a document that is whole, up to its last tag, breaks at a byte for a reason people put there."""
    tail = blob.at(max(0, blob.size - 256), 256).rstrip(b"\0\t\n\r ")
    if not tail.endswith((b">", b">".ljust(2, b"\0"))):
        return None
    before = blob.at(max(0, at - 4), min(at, 4) + 1)
    if b"--" in before:
        return "two hyphens in a comment"
    if _BARE.search(before):
        return "a bare ampersand"
    if blob.at(at, 3) in (b"<!E", b"<!A", b"<!N", b"<!["):
        return "declarations, not a document"
    start = max(0, at - 128)
    return "a template" if _PLACEHOLDER.search(blob.at(start, at - start + 64)) else None


def _charset(blob: Blob) -> Charset:
    """What the document says of itself (§4.3.3, Appendix F); expat has agreed."""
    head = blob.at(0, 512)
    if codec := text.wide(head):
        return Charset.UTF16 if codec.startswith("utf-16") else Charset.NONE
    declared = _DECLARED.search(head)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        return Charset.LATIN1
    return Charset.UTF8


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    return read(blob, "xml", effort)


FORMAT = Format(
    name="xml",
    title="XML document",
    specification="XML 1.0 (fifth edition), §2.1",
    suffixes=(
        "xml",
        "xsd",
        "xsl",
        "xslt",
        "wsdl",
        "kml",
        "gpx",
        "rss",
        "atom",
        "xlf",
        "fodt",
        "fods",
        "fodp",
        "fodg",
    ),
    recognises=_recognises,
    dissect=_dissect,
    weak_suffixes=("svg",),
    textual=True,
)
