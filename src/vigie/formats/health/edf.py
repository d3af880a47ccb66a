"""EDF, EDF+ and BDF: signals of electroencephalography, polysomnography and the like, by hand with numpy.

The header is ASCII in fields of fixed width, then records follow, each with some samples of every signal
(EDF specification 1992; EDF+ 2003, §2). Samples are 16-bit (BDF: 24-bit) little-endian integers: where all
signals of a file stay within a few thousand steps, random bytes are impossible in them. Signals that fill
their range are tested by `samples.chance`, and annotations (EDF+ §2.2) by the control bytes they may hold.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats import samples
from vigie.formats.contract import EFFORT, HEAD, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

FIXED, SIGNAL = 256, 256
"""Bytes of the header's fixed part, and of its part for each signal."""
MAX_SIGNALS = 4096
"""The four digits allow more; no amplifier has as many."""
NARROW = 1 << 13
"""Digital steps up to which 16-bit samples never look random: their upper bytes are too few."""
CHUNK = 256 * 1024
MAX_FLAWS = 1024

_EDF, _BDF = b"0       ", b"\xffBIOSEMI"
_NUMBER = re.compile(rb"[+-]?\d{1,7}(?:[.,]\d*)?")
_COUNT = re.compile(rb"\+?\d{1,8}")
_FIELDS = {"label": (0, 16), "low": (120, 8), "high": (128, 8), "samples": (216, 8)}
"""Where fields stand among the 256 bytes of a signal's header, and how wide they are (EDF §2)."""
# EDF+ §2.2: an annotation is text, 14h and 15h between its parts and 00h behind it.
_STRANGE = np.zeros(256, np.uint8)
_STRANGE[[*range(1, 9), *range(0x0E, 0x14), *range(0x16, 0x20), 0x7F]] = 1
_CELL, _STRANGE_ENOUGH = 64, 3
"""Bytes of annotation looked at together, and how many impossible ones make a hit; chance makes six."""


@dataclass(frozen=True, slots=True)
class _Signal:
    """One signal, as the header tells it."""

    at: int
    """Where its samples begin in a record, in bytes."""
    count: int
    """Samples in a record."""
    narrow: bool
    notes: bool
    """Whether it holds annotations rather than samples."""


@dataclass(frozen=True, slots=True)
class _Records:
    """Where the records stand: `[start, end)`, `size` bytes each, samples of `width` bytes."""

    start: int
    end: int
    size: int
    width: int


def _number(field: bytes) -> float | None:
    found = _NUMBER.fullmatch(field.strip(b" \0"))
    return float(found[0].replace(b",", b".")) if found else None


def _count(field: bytes) -> int | None:
    found = _COUNT.fullmatch(field.strip(b" \0"))
    return int(found[0]) if found else None


def _shape(head: bytes) -> int:
    """Number of signals, if the head is that of such a file (header bytes and signals agree); else 0."""
    signals = _count(head[252:256]) or 0
    if head[:8] not in (_EDF, _BDF) or _count(head[184:192]) != FIXED + SIGNAL * signals:
        return 0
    return signals if signals <= MAX_SIGNALS else 0


def _recognises(head: bytes) -> bool:
    return _shape(head) > 0


def _fields(header: bytes, count: int, name: str) -> list[bytes]:
    """One field of every signal: all labels stand first, then all transducers, and so on."""
    at, width = _FIELDS[name]
    start = FIXED + at * count
    return [header[start + n * width : start + (n + 1) * width] for n in range(count)]


def _signals(header: bytes, count: int, width: int) -> list[_Signal]:
    """The signals of a record.

    Raises:
        Malformed: a number of samples is none.
    """
    signals, at = [], 0
    rows = zip(*(_fields(header, count, name) for name in ("label", "low", "high", "samples")), strict=True)
    for index, (label, low, high, field) in enumerate(rows):
        number = _count(field)
        if number is None:
            start = FIXED + _FIELDS["samples"][0] * count + index * 8
            raise Malformed(start, f"signal {index + 1} has no number of samples")
        least, most = _number(low), _number(high)
        narrow = width == 2 and least is not None and most is not None and abs(most - least) < NARROW
        signals.append(_Signal(at, number, narrow, label.strip().endswith(b"Annotations")))
        at += number * width
    return signals


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    head = blob.at(0, HEAD)
    count = _shape(head)
    if not count:
        raise Malformed(0, "no EDF or BDF header")
    width = 3 if head[:8] == _BDF else 2
    start = FIXED + SIGNAL * count
    header = blob.at(0, start)
    if len(header) < start:
        raise Malformed(blob.size - 1, "the file ends inside its header")
    # The specification says ASCII; names with accents are met.
    first = Region(1 if width == 3 else 0, start, Kind.STRUCTURED, "header", Charset.LATIN1)
    try:
        signals = _signals(header, count, width)
    except Malformed as broken:
        flaw = Flaw(broken.offset, broken.offset + 8, broken.what)
        return Anatomy("edf", (first, *_rest(start, blob.size, Kind.OPAQUE, "records")), (flaw,))
    size = sum(signal.count for signal in signals) * width
    records = _count(header[236:244])
    end, notes, flaws = blob.size, [], []
    if not size:
        notes.append("records without samples")
    elif records is None:  # -1 while recording (EDF §2): as many as there are
        notes.append("the number of records is not said")
    elif start + records * size > blob.size:
        flaws.append(Flaw(blob.size, blob.size, f"{records} records announced, the file ends before"))
    else:
        end = start + records * size
    if end < blob.size:
        notes.append(f"{blob.size - end} bytes behind the last record")
    if all(signal.narrow or signal.notes for signal in signals):
        kind = Kind.STRUCTURED
    elif not any(signal.count >= samples.RUN for signal in signals if not signal.notes):
        kind = Kind.OPAQUE  # a few samples of a signal at a time: nothing to compare them with
    else:
        kind = Kind.CODED
        whole = _Records(start, end, size, width)
        flaws = [*_tested(blob, signals, whole, Effort(effort - start), notes), *flaws]
    regions = (first, *_rest(start, end, kind, "samples"), *_rest(end, blob.size, Kind.OPAQUE, "trailer"))
    return Anatomy("edf", regions, tuple(flaws), notes=tuple(notes))


def _rest(start: int, end: int, kind: Kind, what: str) -> Iterator[Region]:
    if start < end:
        yield Region(start, end, kind, what)


def _tested(
    blob: Blob, signals: list[_Signal], records: _Records, effort: Effort, notes: list[str]
) -> list[Flaw]:
    """Where samples are chance, in as many records as the effort allows: both ends, and evenly between."""
    step = max(1, CHUNK // records.size) * records.size  # whole records are read together
    if effort.left < records.end - records.start:
        notes.append("too large to be tested in full")
    found: list[samples.Stretch] = []
    for at in samples.places(records.start, records.end, step, effort.left):
        data = blob.at(at, min(step, records.end - at))
        rows = np.frombuffer(data, np.uint8, len(data) // records.size * records.size)
        for signal in signals:
            for low, high in _hits(rows.reshape(-1, records.size), signal, records.width):
                found.append(samples.Stretch(at + low, at + high))
        if len(found) > MAX_FLAWS * 64:
            notes.append("struck in so many places that not all of them are told")
            break
    return [Flaw(low, high, "samples that no signal has") for low, high in samples.joined(found, MAX_FLAWS)]


def _hits(rows: NDArray[np.uint8], signal: _Signal, width: int) -> Iterator[samples.Stretch]:
    """Where one signal is chance, in bytes from the first of these records."""
    step = _CELL if signal.notes else samples.RUN * width
    count = signal.count * width // step  # runs of one record
    if not count:
        return
    part = np.ascontiguousarray(rows[:, signal.at : signal.at + count * step])
    if signal.notes:
        flags = _STRANGE[part].reshape(-1, _CELL).sum(axis=1) >= _STRANGE_ENOUGH
    else:
        flags = samples.telling(samples.chance(samples.tops(part.tobytes(), width)))
    for index in np.flatnonzero(flags).tolist():
        start = index // count * rows.shape[1] + signal.at + index % count * step
        yield samples.Stretch(start, start + step)


FORMAT = Format(
    name="edf",
    title="EDF or BDF recording",
    specification="EDF 1992, §2; EDF+ 2003, §2; BioSemi BDF",
    suffixes=("edf",),
    recognises=_recognises,
    dissect=_dissect,
    weak_suffixes=("bdf", "rec"),
    plain=True,
)
