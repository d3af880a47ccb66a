"""What parent and worker say to each other: JSON, never pickle, since a worker may have been taken over.

A request is a batch of files: as many file descriptors (SCM_RIGHTS) travel with it as it has names. A reply
is a list of verdicts, in the order of the files; it may cover a part of a batch, or end one and begin the
next. It is checked field by field; anything odd in it is a `ValueError`, and the worker is replaced.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from vigie.model import MAP_CELLS, Basis, Likeness, Pattern, Period, Range, State, Verdict

BATCH = 16
"""Files of a request at most: far below what SCM_RIGHTS carries (253), and below `limits.FILES`."""
LONGEST = 256 * 1024
"""Bytes of a message at most. Linux takes 208 KiB (net.core.wmem_default); what is sent is shorter."""
SHEAF = 64 * 1024
"""Bytes of verdicts that are collected before a reply is sent; a single one may be longer."""
EXPLAIN = b"E"
"""Stands before a request for one file whose verdict is to be explained: see `wire_explanation`."""
NAME = 256
"""Characters of a name that travel: its end, which is what tells. So two batches fit into a socket's buffer,
and handing over never waits for a worker that hangs."""
_WORDS = 100
_WORD = 2000
_CHARACTERS = 10_000
"""Of all evidence together; JSON makes at most 12 bytes of one."""
_RANGES = 256
_LARGEST = 1 << 63
"""No offset reaches this far (off_t), and SQLite counts no further."""

Look = tuple[str, Likeness | None]
"""A file to judge: its name and the version before."""


def request(looks: Sequence[Look], *, full: bool = False) -> bytes:
    """Files to judge; their bytes are the descriptors that travel along."""
    return json.dumps([full, [[name[-NAME:], _from_likeness(before)] for name, before in looks]]).encode()


def read_request(message: bytes) -> tuple[bool, list[Look]]:
    """Whether every byte is to be read, and the files."""
    full, looks = json.loads(message)
    return full, [(name, _likeness(before)) for name, before in looks]


def verdict(said: Verdict) -> bytes:
    """One verdict, for `reply`."""
    parts = [
        said.state,
        said.format,
        said.pattern,
        said.ranges[:_RANGES],
        said.basis,
        said.confidence,
        _fitting(said.evidence),
        _from_likeness(said.likeness),
        said.period,
        said.read,
    ]
    return json.dumps(parts).encode()


def reply(verdicts: Iterable[bytes]) -> bytes:
    """What `verdict` made of each, as one message."""
    return b"[%b]" % b",".join(verdicts)


def read_reply(message: bytes) -> list[Verdict]:
    """The verdicts in a reply.

    Raises:
        ValueError: this is not what a worker of ours says.
    """
    try:
        verdicts = json.loads(message)
        if not isinstance(verdicts, list):
            raise ValueError("a reply is a list")  # noqa: TRY004 - one kind of error for all that is odd
        return [_verdict(*parts) for parts in verdicts]
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a reply: {error}") from error


def _verdict(
    state: Any,
    form: Any,
    pattern: Any,
    ranges: Any,
    basis: Any,
    confidence: Any,
    evidence: Any,
    likeness: Any,
    period: Any,
    read: Any,
) -> Verdict:
    if not isinstance(evidence, list) or len(evidence) > _WORDS:
        raise ValueError("evidence is a list of texts")
    for text in evidence:
        if not isinstance(text, str) or len(text) > _WORD:
            raise ValueError("evidence is a list of texts")
    if not isinstance(ranges, list) or len(ranges) > _RANGES:
        raise ValueError("ranges are a list")
    return Verdict(
        State(state),
        _word(form),
        None if pattern is None else Pattern(pattern),
        tuple(_range(*pair) for pair in ranges),
        None if basis is None else Basis(basis),
        min(1.0, max(0.0, float(confidence))),
        tuple(evidence),
        _likeness(likeness),
        None if period is None else _period(*period),
        _count(read),
    )


def _range(start: Any, end: Any) -> Range:
    if _count(start) > _count(end):
        raise ValueError("a range ends after it begins")
    return Range(start, end)


def _period(on: Any, off: Any) -> Period:
    if not _count(on) or not _count(off):
        raise ValueError("a rhythm has beats and rests")
    return Period(on, off)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise ValueError("a count of bytes is a number, and not below zero")
    return value


def _word(form: Any) -> str | None:
    if form is not None and not (isinstance(form, str) and form.isascii() and form.isprintable()):
        raise ValueError("a format is a word")
    return form


def _fitting(evidence: tuple[str, ...]) -> list[str]:
    left, kept = _CHARACTERS, []
    for text in evidence[:_WORDS]:
        cut = text[: min(_WORD, left)]
        kept.append(cut)
        left -= len(cut)
    return kept


def _from_likeness(likeness: Likeness | None) -> list[Any] | None:
    if likeness is None:
        return None
    cells = base64.b64encode(likeness.map).decode()
    return [likeness.state, likeness.format, likeness.size, likeness.random_share, cells]


def _likeness(parts: list[Any] | None) -> Likeness | None:
    if parts is None:
        return None
    state, form, size, share, cells = parts
    return Likeness(
        State(state), _word(form), _count(size), float(share), base64.b64decode(cells)[:MAP_CELLS]
    )
