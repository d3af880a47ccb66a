"""Which paths are watched: below the roots, not excluded, and not Vigie's own state."""

import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache


class Scope:
    """The watched paths. Roots are made absolute and free of links, as the kernel reports paths."""

    def __init__(self, roots: Iterable[str], *, exclude: Sequence[str] = (), state: str) -> None:
        self.roots = tuple(dict.fromkeys(os.path.realpath(root) for root in roots))
        self._below = tuple(root.rstrip("/") + "/" for root in self.roots)
        self.state = os.path.realpath(state)
        pattern = "|".join(fnmatch.translate(glob) for glob in exclude)
        self._excluded = re.compile(pattern) if pattern else None
        # A folder is looked at once; what is excluded takes all below it with it, as in sources.folder.walk.
        self._left_out = lru_cache(maxsize=4096)(self._leaves_out)

    def covers(self, path: str) -> bool:
        """Whether a file is watched. Called for every file written on the machine: keep it short."""
        if not path.startswith(self._below) and path not in self.roots:
            return False
        if path.startswith(self.state + "/"):
            return False
        return self._excluded is None or not (self._matches(path) or self._left_out(os.path.dirname(path)))

    def _matches(self, path: str) -> bool:
        rule = self._excluded
        return rule is not None and bool(rule.match(path) or rule.match(os.path.basename(path)))

    def _leaves_out(self, folder: str) -> bool:
        while folder.startswith(self._below):
            if self._matches(folder):
                return True
            folder = os.path.dirname(folder)
        return False
