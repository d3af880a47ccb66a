"""Whether the ground still holds: the watched paths and the state folder are there, and are the same ones.

A folder that was renamed, deleted or unmounted takes its files out of sight without a single event.
"""

import os
from collections.abc import Iterable

from vigie.errors import VigieError

_Place = tuple[int, int]
"""Device and inode."""


class Ground:
    """Looks at the watched paths and the journal, as often as it is asked.

    Args:
        roots: what is watched.
        journal: the file of the journal; it exists.
    """

    def __init__(self, roots: Iterable[str], journal: str) -> None:
        self._roots = {root: _place(root) for root in roots}
        self._journal, self._place = journal, _place(journal)

    def trouble(self) -> dict[str, VigieError | None]:
        """What is wrong now with each, or None."""
        said: dict[str, VigieError | None] = {"state": None}
        if _place(self._journal) != self._place:
            problem = "it was deleted or replaced: what happens from now on is not kept"
            said["state"] = VigieError(self._journal, problem, "Restart the guard.")
        for root in self._roots:
            said[root] = None
            if _place(root) is None:
                problem = "it is not there any more: what it held is not watched"
                remedy = (
                    "Put it back under this name (mount it again), or restart the guard with the new one."
                )
                said[root] = VigieError(root, problem, remedy)
        return said

    def changed(self) -> list[str]:
        """Watched paths that are back, or replaced, since the last call: read them again."""
        now = {root: _place(root) for root in self._roots}
        found = [root for root, place in now.items() if place is not None and place != self._roots[root]]
        self._roots = now
        return found


def _place(path: str) -> _Place | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
