"""The first look at a version, from lists alone: size, name, how far its bytes compress. Nothing is read.

Ciphertext does not compress. What a backup program compresses, it measures on the way: `Version.packed`
over the size says of every version of every file how random it is (restic doc/design.rst, "Pack Format").

| the version                                                    | the first look                     |
|----------------------------------------------------------------|------------------------------------|
| its bytes were seen before                                     | what was said of them              |
| empty                                                          | intact                             |
| new, its name promises text, it compresses                     | intact                             |
| new, its name promises text, it does not compress              | open, with all such ones           |
| new, its name promises a format otherwise                      | presumed intact                    |
| new, and too small to measure                                  | presumed intact                    |
| new, its name hints at a format at most (`.db`, `.pdf.old`)    | open, with all of the same ending  |
| new, of no format, and it compresses                           | presumed intact                    |
| new, otherwise                                                 | open, with all of the same ending  |
| changed, and compressible before: packs as it did              | intact                             |
| changed, and compressible before: shorter, packs to no more    | presumed intact                    |
| changed, promises text, compressed before and now not at all   | open, with all such ones           |
| changed, and compressible before: longer, and packs to no more | presumed intact                    |
| than it grew by                                                |                                    |
| changed, and compressible before: packs less well              | open, whole                        |
| changed, packs as little as before or less, its size jumps     | presumed intact                    |
| changed, otherwise                                             | open                               |

*Open* ones are read (stage 2: the first piece; stage 3: all of it). Those that are open *with others* are
read in a sample, and when all of it is encrypted the others are taken for that, too. What is *presumed* is
read as well in a snapshot that shows an attack, and in a sample in the first snapshot.
"""

from dataclasses import dataclass
from functools import cache

from vigie import formats
from vigie.model import Basis, State, Verdict, Version

TINY = 512
"""Bytes below which compression says nothing."""
COMPRESSES = 0.9
"""Share of its size that a file which compresses is packed to, at most."""
RANDOM = 0.97
"""Share from which it does not compress at all."""
STORED = 0.985
"""From here on there is nothing in it that compresses: zstd stores a block that it cannot shrink by 1/64
(RFC 8878, section 3.1.1.2; `ZSTD_minGain` is size / 64 + 2)."""
MARGIN = 0.85
"""A kind that packs better than this shows 600 random bytes in 4 KiB of its own."""
_SLACK = 600
"""Bytes that a large file may pack less well than before: fewer than `MARGIN` shows."""
FOOTER = 1100
"""Bytes that an attack may add to each file: its key, its marks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the lists say of a version."""

    verdict: Verdict | None
    """None: it is open, and must be read."""
    why: str = ""
    """In words, why it is open, or presumed."""
    presumed: bool = False
    """Nothing speaks against it, and little speaks for it."""
    group: str = ""
    """Files of one snapshot that are open, or presumed, for the same reason and may stand for each other."""
    whole: bool = False
    """Its first piece alone cannot settle it."""


def look(new: Version, old: Version | None) -> Look:
    """The first look at a version whose bytes were not seen before; `old` is what its path held last."""
    size = new.entry.size
    promise = formats.by_name(new.entry.path)
    kind = promise.format.name if promise and promise.firm else None
    if size == 0:
        return _said("it is empty", 100, kind)
    text = promise is not None and promise.firm and promise.format.textual
    if old is None or old.entry.size == 0:
        return _new(new, kind, text=text, hinted=promise is not None and not promise.firm)
    now, before = share(new), share(old)
    if now is None or before is None:
        return Look(None, "it changed")
    grown = size - old.entry.size
    if before >= MARGIN:
        if (now < STORED or before >= STORED) and not 0 <= grown <= FOOTER:
            return _presumed(
                "it was rewritten as an edit does: another size, and it compresses as it did", now, kind
            )
        return Look(None, "it changed, and compression does not tell")
    if text and now >= RANDOM:
        return Look(None, "it compressed before, and does not now", group="text that compressed before")
    slack = max(48, min(_SLACK, size / 50))
    if (new.packed or 0) - before * size <= slack:
        return _intact("it packs as well as the version before", now, kind)
    if grown < 0 and (new.packed or 0) - (old.packed or 0) <= slack:
        # Encryption makes nothing shorter: it was cut, and what was cut off packed better than the rest.
        # But its user may have cut it on the day on which it was struck.
        return _presumed("it is shorter, and packs to no more than the version before", now, kind)
    if grown > FOOTER and (new.packed or 0) - (old.packed or 0) <= grown:
        return _presumed("it grew, and what came to it accounts for all that packs less well", now, kind)
    return Look(None, "it packs less well than the version before", whole=True)


def share(version: Version) -> float | None:
    """Bytes packed over bytes of the file; None where it is tiny or the source does not say."""
    if version.packed is None or version.entry.size < TINY:
        return None
    return version.packed / version.entry.size


def _new(new: Version, kind: str | None, *, text: bool, hinted: bool) -> Look:
    now = share(new)
    if text and now is not None:
        if now < COMPRESSES:
            return _intact("it compresses as text does", now, kind)
        return Look(None, "its name promises text, and it does not compress", group="text that is new")
    if kind or (now is None and new.packed is not None):
        return _presumed("it is new, and nothing speaks against it", now or 1.0, kind)
    name = new.entry.path.rpartition("/")[2]
    ending = name.rpartition(".")[2].lower() if "." in name.lstrip(".") else ""
    group = f"new ones ending in .{ending}"
    if hinted or now is None or now >= RANDOM:
        return Look(None, "its ending belongs to no format", group=group)
    return _presumed("it is new, of no known format, and it compresses", now, kind, f"{group}, that compress")


def _intact(why: str, now: float, kind: str | None) -> Look:
    return _said(why, round(now * 100), kind)


def _presumed(why: str, now: float, kind: str | None, group: str = "") -> Look:
    return _said(why, round(now * 100), kind, group, presumed=True)


@cache
def _said(why: str, percent: int, kind: str | None, group: str = "", *, presumed: bool = False) -> Look:
    """The same few answers for a million files. The format is what the name promises."""
    verdict = Verdict(
        State.INTACT,
        format=kind,
        basis=Basis.STATISTICS,
        confidence=0.5 if presumed else 0.8,
        evidence=(f"not read: {why}" + (f" ({percent} % of its size when packed)" if percent < 100 else ""),),
    )
    return Look(verdict, why, presumed=presumed, group=group)
