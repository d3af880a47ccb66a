"""The decoys as the guard asks for them: at each write and rename, so from memory."""

import time
from contextlib import suppress

from vigie.errors import VigieError
from vigie.watch.decoys.register import Register

_EVERY = 1.0
"""Seconds after which it is looked whether other processes placed some since."""


class Watched:
    """Paths of all decoys; while the register cannot be read, what is known holds; the caller closes it."""

    def __init__(self, register: Register) -> None:
        register.wait_at_most(0.1)  # the guard's loop must not wait for somebody who places decoys
        self._register = register
        self._version = -1
        self._paths: frozenset[str] = frozenset()
        self._next = 0.0

    def __contains__(self, path: object) -> bool:
        """Whether there is a decoy at a path."""
        if time.monotonic() >= self._next:
            self._refresh()
        if path not in self._paths:
            return False
        self._refresh()  # whoever takes decoys away strikes them off first
        return path in self._paths

    def _refresh(self) -> None:
        with suppress(VigieError):
            version = self._register.version()
            if version != self._version:
                self._paths = frozenset(decoy.path for decoy in self._register.all())
                self._version = version
        self._next = time.monotonic() + _EVERY
