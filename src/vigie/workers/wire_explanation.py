"""How an explanation travels from a worker: JSON, checked as strictly as a verdict is (see `wire`).

Kept apart from it, since this needs the judge's nouns, and the judge takes half a second to load: a parent
that has nothing to explain never does.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from vigie.judge.explanation import MOST, STRETCHES, Explanation, Stretch
from vigie.model import Charset, Flaw, Kind, Region
from vigie.workers import wire

_WORD = 300
"""Characters of what a region, a flaw or a note says."""
_ROOM = {"regions": 24 * 1024, "flaws": 12 * 1024, "notes": 4 * 1024}
"""Bytes of JSON for each list, so that with the longest verdict and strip all fits in `wire.LONGEST`."""
_HIGHEST = 1 << 20
"""More than the chi-square of a block of one value, 4096 · 255."""


def write(explanation: Explanation) -> bytes:
    """An explanation as one message; lists are cut to what fits."""
    stretches = [
        [s.start, s.end, s.expected, s.random, s.chi2, s.struck, s.flawed]
        for s in explanation.stretches[:STRETCHES]
    ]
    regions = (
        [r.start, r.end, r.kind, r.what[:_WORD], r.charset, r.member[:_WORD]]
        for r in explanation.regions[:MOST]
    )
    flaws = ([f.start, f.end, f.what[:_WORD], f.checksum, f.throughout] for f in explanation.flaws[:MOST])
    parts = [
        json.loads(wire.verdict(explanation.verdict)),
        explanation.size,
        stretches,
        _fitting(regions, _ROOM["regions"]),
        _fitting(flaws, _ROOM["flaws"]),
        _fitting((note[:_WORD] for note in explanation.notes), _ROOM["notes"]),
    ]
    return json.dumps(parts).encode()


def read(message: bytes) -> Explanation:
    """The explanation in a message.

    Raises:
        ValueError: this is not what a worker of ours says.
    """
    try:
        verdict, size, stretches, regions, flaws, notes = json.loads(message)
        [said] = wire.read_reply(json.dumps([verdict]).encode())
        whole = _offset(size)
        return Explanation(
            whole,
            said,
            _strip(_list(stretches, STRETCHES, _stretch), whole),
            _list(regions, MOST, _region),
            _list(flaws, MOST, _flaw),
            _list(notes, MOST, _word),
        )
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not an explanation: {error}") from error


def _fitting(items: Iterable[Any], room: int) -> list[Any]:
    kept = []
    for item in items:
        room -= len(json.dumps(item)) + 2
        if room < 0:
            break
        kept.append(item)
    return kept


def _list(items: Any, most: int, read_one: Callable[..., Any]) -> tuple[Any, ...]:
    if not isinstance(items, list) or len(items) > most:
        raise ValueError("a list, and not too long a one")
    return tuple(read_one(*item) if isinstance(item, list) else read_one(item) for item in items)


def _strip(stretches: tuple[Stretch, ...], size: int) -> tuple[Stretch, ...]:
    at = 0
    for stretch in stretches:
        if stretch.start != at or stretch.end <= at:
            raise ValueError("stretches follow each other")
        at = stretch.end
    if stretches and at != size:
        raise ValueError("stretches cover the file")
    return stretches


def _stretch(
    start: Any, end: Any, expected: Any, random: Any, chi2: Any, struck: Any, flawed: Any
) -> Stretch:
    return Stretch(
        _offset(start),
        _offset(end),
        None if expected is None else Kind(expected),
        _number(random, 1.0),
        _number(chi2, _HIGHEST),
        _flag(struck),
        _flag(flawed),
    )


def _region(start: Any, end: Any, kind: Any, what: Any, charset: Any, member: Any) -> Region:
    return Region(*_pair(start, end), Kind(kind), _word(what), Charset(charset), _word(member))


def _flaw(start: Any, end: Any, what: Any, checksum: Any, throughout: Any) -> Flaw:
    return Flaw(*_pair(start, end), _word(what), _flag(checksum), _flag(throughout))


def _pair(start: Any, end: Any) -> tuple[int, int]:
    if _offset(start) > _offset(end):
        raise ValueError("a part of a file ends after it begins")
    return start, end


def _offset(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError("an offset is a number, and not below zero")
    return value


def _number(value: Any, most: float) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= most:  # NaN fails here too
        raise ValueError("a measure is a number in its range")
    return float(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("yes or no")
    return value


def _word(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _WORD:
        raise ValueError("a text, and not too long a one")
    return value
