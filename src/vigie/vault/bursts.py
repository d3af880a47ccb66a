"""Changed files that may stand for each other: of one kind, rewritten in one go, grown by as much.

An attack in place rewrites thousands of files in minutes, and makes each of them longer by the same footer,
or by none. People change a few files an hour, each by another length. So what came in the same burst, with
the same ending and the same growth, is one group, of which a sample is read (`Stages.pooled`). Files whose
times were put back are a group as well: hardly any program changes a file and then its time.
"""

from collections.abc import Hashable, Sequence

from vigie.timeline.triage import FOOTER
from vigie.vault.stages import Open

GAP_NS = 10_000_000_000
"""Nanoseconds without any such file that end a burst."""
_PADDING = 16
"""Bytes of a block that block ciphers fill up: growth within one of them counts as the same."""


def bursts(opened: Sequence[Open]) -> tuple[list[Open], list[list[Open]]]:
    """Those that stand for themselves, and the groups of the others, those of `Look.group` among them."""
    alone: list[Open] = []
    moved: list[Open] = []
    groups: dict[Hashable, list[Open]] = {}
    for open_ in opened:
        if open_.look.group:
            groups.setdefault(open_.look.group, []).append(open_)
        elif open_.before is None or not 0 <= _grown(open_) <= FOOTER:
            alone.append(open_)
        elif open_.before.entry.mtime_ns == open_.version.entry.mtime_ns:
            groups.setdefault(("put back", _alike(open_)), []).append(open_)
        else:
            moved.append(open_)
    burst_of = _numbered(moved)
    for open_ in moved:
        groups.setdefault((burst_of[id(open_)], _alike(open_)), []).append(open_)
    return alone, list(groups.values())


def _grown(open_: Open) -> int:
    before = open_.before
    return open_.version.entry.size - (before.entry.size if before else 0)


def _alike(open_: Open) -> tuple[str, int]:
    """Ending, and growth in blocks: none at all is a case of its own."""
    name = open_.version.entry.path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else "", -(-_grown(open_) // _PADDING)


def _numbered(opened: Sequence[Open]) -> dict[int, int]:
    """The number of the burst of each, by `id`."""
    numbers: dict[int, int] = {}
    number, last = 0, 0
    for open_ in sorted(opened, key=lambda open_: open_.version.entry.mtime_ns):
        when = open_.version.entry.mtime_ns
        number += when - last > GAP_NS
        numbers[id(open_)] = number
        last = when
    return numbers
