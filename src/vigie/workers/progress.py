"""How far a worker has come: one number in a page of memory that it shares with its parent.

Verdicts come back several at a time, so when a worker dies or hangs it is this number that says at which
file. It costs the worker one store a file, and the parent trusts it for nothing but whom to blame.
"""

import mmap
import os
from typing import Self


class Progress:
    """The count of files begun, written by the worker and read by the parent."""

    SIZE = mmap.PAGESIZE

    def __init__(self, page: mmap.mmap) -> None:
        self._page = page
        self._count = memoryview(page).cast("Q")

    @classmethod
    def shared(cls) -> tuple[Self, int]:
        """A new one, and the descriptor by which a worker can map it; the caller closes that."""
        page = os.memfd_create("vigie-progress", os.MFD_CLOEXEC)
        os.ftruncate(page, cls.SIZE)
        return cls(mmap.mmap(page, cls.SIZE)), page

    def begin(self) -> None:
        """The worker begins the next file."""
        self._count[0] += 1

    @property
    def begun(self) -> int:
        """Files begun so far, if the worker is honest."""
        return self._count[0]

    def close(self) -> None:
        """Let go of the page."""
        self._count.release()
        self._page.close()
