"""What parent and worker say to each other: JSON, never pickle, since a worker may have been taken over.

A request travels with one file descriptor (SCM_RIGHTS). A reply is checked field by field; anything odd in
it is a `ValueError`, and the worker is replaced.
"""

import base64
import json
from typing import Any

from vigie.model import MAP_CELLS, Basis, Likeness, Pattern, Range, State, Verdict

LONGEST = 256 * 1024
"""Bytes of a message at most; a request carries one path, a reply at most 64 ranges and some words."""
_WORDS = 100
_WORD = 2000


def request(name: str, before: Likeness | None) -> bytes:
    """A file to judge; its bytes are the descriptor that travels along."""
    return json.dumps([name, _from_likeness(before)]).encode()


def read_request(message: bytes) -> tuple[str, Likeness | None]:
    """The name and the version before."""
    name, before = json.loads(message)
    return name, _likeness(before)


def reply(verdict: Verdict) -> bytes:
    """A verdict."""
    record = verdict.record()
    record["evidence"] = [text[:_WORD] for text in record["evidence"][:_WORDS]]
    return json.dumps([record, _from_likeness(verdict.likeness)]).encode()


def read_reply(message: bytes) -> Verdict:
    """The verdict in a reply.

    Raises:
        ValueError: this is not what a worker of ours says.
    """
    try:
        record, likeness = json.loads(message)
        ranges = tuple(Range(int(start), int(end)) for start, end in record["ranges"])
        evidence = tuple(record["evidence"])
        if (
            not all(isinstance(text, str) and len(text) <= _WORD for text in evidence)
            or len(evidence) > _WORDS
        ):
            raise ValueError("evidence is not a list of texts")
        form = record["format"]
        if form is not None and not isinstance(form, str):
            raise ValueError("a format is a word")
        return Verdict(
            State(record["verdict"]),
            form,
            Pattern(record["pattern"]) if record["pattern"] else None,
            ranges,
            Basis(record["basis"]) if record["basis"] else None,
            min(1.0, max(0.0, float(record["confidence"]))),
            evidence,
            _likeness(likeness),
        )
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not a reply: {error}") from error


def _from_likeness(likeness: Likeness | None) -> list[Any] | None:
    if likeness is None:
        return None
    cells = base64.b64encode(likeness.map).decode()
    return [likeness.state.value, likeness.format, likeness.size, likeness.random_share, cells]


def _likeness(parts: list[Any] | None) -> Likeness | None:
    if parts is None:
        return None
    state, form, size, share, cells = parts
    if form is not None and not isinstance(form, str):
        raise ValueError("a format is a word")
    return Likeness(State(state), form, int(size), float(share), base64.b64decode(cells)[:MAP_CELLS])
