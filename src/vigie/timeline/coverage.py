"""Which snapshots should hold a path: a repository may keep several folders, each in snapshots of its own."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from vigie.model import Snapshot
from vigie.timeline.document import folder_of


class Coverage:
    """Which snapshots should hold a path.

    `unread` names, for each snapshot, what in it could not be read: nothing below is missing for that.
    """

    def __init__(self, snapshots: Sequence[Snapshot], unread: Sequence[frozenset[str]]) -> None:
        self._unread = unread
        self._numbers: dict[tuple[str, ...], list[int]] = {}
        self._one: dict[tuple[str, ...], Snapshot] = {}
        for number, snapshot in enumerate(snapshots):
            self._numbers.setdefault(snapshot.paths, []).append(number)
            self._one.setdefault(snapshot.paths, snapshot)

    def missing_since(self, path: str, last: int) -> int | None:
        """The first snapshot after number `last` that should hold the path, or None where there is none."""
        found = []
        for paths, numbers in self._numbers.items():
            if covers(self._one[paths], path):
                later = numbers[bisect_right(numbers, last) :]
                found += [number for number in later if not self._below_unread(number, path)][:1]
        return min(found, default=None)

    def last_before(self, path: str, number: int) -> int:
        """The last snapshot before `number` that should hold the path; -1 for none."""
        found = -1
        for paths, numbers in self._numbers.items():
            place = bisect_left(numbers, number)
            if place and covers(self._one[paths], path):
                found = max(found, numbers[place - 1])
        return found

    def _below_unread(self, number: int, path: str) -> bool:
        unread = self._unread[number]
        while unread and path:
            path = folder_of(path)
            if path in unread or (not path and "/" in unread):
                return True
        return False


def covers(snapshot: Snapshot, path: str) -> bool:
    """Whether a path lies in what the snapshot was made of."""
    return not snapshot.paths or any(
        top in ("/", path) or path.startswith(top.rstrip("/") + "/") for top in snapshot.paths
    )
