"""JSON, also with comments, and several documents one after another (RFC 8259, RFC 7464, NDJSON)."""

import codecs
import json
import re

from vigie.formats.contract import EFFORT, HEAD, Format
from vigie.formats.office import json_grammar, text
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAX_PARSED = 16 * 1024 * 1024
"""Bytes up to which what does not follow the grammar byte by byte is parsed once more, by Python's parser."""

MAX_RELAXED = 4 * 1024 * 1024
"""Bytes up to which comments and trailing commas are looked for in what does not parse."""

_TOKEN = re.compile(
    r"(?P<space>[\s\x1e]+|//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<punctuation>[\[\]{},:])"
    r'|(?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*)*(?:"|\\?\Z))|(?P<scalar>-?\d[\d.eE+-]*|true|false|null|\w+\Z|-\Z)',
    re.DOTALL,
)
# What may follow what (§2); "v" is a value that is complete.
_FOLLOWS = {
    "": "[{",
    "[": "[{v]",
    "{": "v}",
    ",": "[{v]}",
    ":": "[{v",
    "v": ",:]}",
    "]": ",]}[{",
    "}": ",]}[{",
}
_COMMENT = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|,(?=\s*[\]}])')
_GAP = re.compile("[ \t\r\n\x1e]*")

# Nothing that is parsed is kept: an object becomes None once it is read, a number its length.
_DECODER = json.JSONDecoder(
    object_pairs_hook=lambda _pairs: None, parse_int=len, parse_float=len, parse_constant=len
)


_TOKENS = 64
"""Tokens of a head that are looked at; the file is parsed anyway."""


def starts(head: bytes) -> bool:
    """Whether the head begins a JSON object or array and goes on as one."""
    words = text.read_head(head)
    if words.lstrip(" \t\r\n\x1e")[:1] not in ("{", "[") or not text.clean(head):
        return False
    before, at = "", 0
    for _ in range(_TOKENS):
        if at >= len(words):
            break
        token = _TOKEN.match(words, at)
        if token is None:
            return False
        at = token.end()
        if token["space"]:
            continue
        now = token["punctuation"] or "v"
        if now not in _FOLLOWS[before]:
            return False
        before = now
    return before != ""


def read(blob: Blob, name: str, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a JSON document, under the name of the format that is made of it.

    Raises:
        Malformed: it is empty, or it is no text: see `text.survey`.
        Unreadable: see `Blob.at`.
    """
    found = text.survey(blob, effort)
    # What was overwritten is told from its bytes: where the grammar breaks adds nothing but a wrong place.
    flaws, said = text.damage(blob, found)
    notes = list(said)
    if blob.size > effort:
        notes.append("too large to be parsed: only its text and its ends were looked at")
        flaws = (*flaws, *_ends(blob, found.codec))
    elif not flaws:
        # UTF-8 without a flaw is followed as it is; everything else, and what breaks, is parsed.
        plain = found.codec == "utf-8" and not found.flaws
        broken = _follow(blob, notes) if plain else ()
        if blob.size > MAX_PARSED:
            flaws = broken
            if not plain:
                notes.append("too large to be parsed in its character set")
        elif broken or not plain:
            flaws = _parse(blob.at(0, blob.size), found.codec, notes)
        if flaws and found.flaws:
            flaws, notes = found.flaws, list(found.notes)
    region = Region(0, blob.size, Kind.STRUCTURED, "JSON", found.charset)
    return Anatomy(name, (region,), flaws, notes=tuple(notes))


def _follow(blob: Blob, notes: list[str]) -> tuple[Flaw, ...]:
    """Where the text leaves the grammar; nothing is noted where it does."""
    follower = json_grammar.Follower()
    at = 3 if blob.at(0, 3) == codecs.BOM_UTF8 else 0
    while at < blob.size:
        data = blob.at(at, text.SLICE)
        wrong = follower.feed(data)
        if wrong >= 0:
            at += wrong
            return (Flaw(at, min(at + 64, blob.size), "nested too deep" if follower.deep else "no JSON"),)
        at += len(data)
    if not (follower.whole and follower.documents):
        return (Flaw(blob.size - 1, blob.size, "no JSON: it ends too early"),)
    if follower.documents > 1:
        notes.append("several documents one after another")
    return ()


def _parse(data: bytes, codec: str, notes: list[str]) -> tuple[Flaw, ...]:
    try:
        words = data.decode(codec)
    except UnicodeDecodeError as error:
        return (Flaw(error.start, error.end, f"not {codec}"),)
    shift = 1 if words.startswith("\ufeff") else 0
    broken = _documents(words, shift, notes)
    if broken is not None and len(words) <= MAX_RELAXED:
        relaxed = _COMMENT.sub(_blank, words)
        relaxed = _TRAILING.sub(lambda m: m[0] if m[0][0] == '"' else " ", relaxed)
        if relaxed != words and _documents(relaxed, shift, notes) is None:
            notes.append("comments or trailing commas")
            broken = None
    if broken is None:
        return ()
    place, what = broken
    at = min(len(words[:place].encode(codec)), max(0, len(data) - 1))
    return (Flaw(at, min(at + 64, len(data)), what),)


def _documents(words: str, at: int, notes: list[str]) -> tuple[int, str] | None:
    """Read document after document; where and why one cannot be read, or None."""
    count = 0
    while True:
        gap = _GAP.match(words, at)
        at = gap.end() if gap else at
        if at >= len(words) and count:
            break
        try:
            _, at = _DECODER.raw_decode(words, at)
        except json.JSONDecodeError as error:
            return error.pos, f"no JSON: {error.msg}"
        except RecursionError:
            return at, "no JSON: nested too deep"
        except MemoryError:
            notes.append("too large to be parsed here")
            return None
        count += 1
    if count > 1:
        notes.append("several documents one after another")
    return None


def _blank(token: re.Match[str]) -> str:
    """A comment as blanks, so that everything keeps its place; a string as it is."""
    return token[0] if token[0][0] == '"' else re.sub(r"[^\n]", " ", token[0])


def _ends(blob: Blob, codec: str) -> tuple[Flaw, ...]:
    first = blob.at(0, HEAD).decode(codec, "replace").lstrip("\ufeff \t\r\n\x1e")[:1]
    last = blob.at(blob.size - HEAD & ~3, HEAD + 4).decode(codec, "replace").rstrip(" \t\r\n")[-1:]
    if {"{": "}", "[": "]"}.get(first) == last:
        return ()
    return (Flaw(blob.size - 1, blob.size, "JSON that does not end as it began"),)


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    return read(blob, "json", effort)


FORMAT = Format(
    name="json",
    title="JSON document",
    specification="RFC 8259, §2",
    suffixes=("json", "ndjson", "jsonl", "geojson", "ipynb", "har"),
    recognises=starts,
    dissect=_dissect,
    textual=True,
)
