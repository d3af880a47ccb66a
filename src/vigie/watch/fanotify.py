"""The fanotify sensor: every file closed after writing on whole file systems, with the process that did it.

Written after fanotify(7), fanotify_init(2) and fanotify_mark(2); needs CAP_SYS_ADMIN. FAN_CLOSE_WRITE is
asked for and FAN_MODIFY is not: the latter comes once a write(2), so that copying one large file would wake
the guard thousands of times, each time on a file that is half done. Writes through mmap(2) are covered: the
close is reported when the last mapping goes (the kernel reports it when it lets go of the open file).
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from vigie.errors import NotPermitted, VigieError
from vigie.watch import fanotify_abi as abi
from vigie.watch.events import Event, Overflow, Written
from vigie.watch.mounts import Mount, Mounts

_NOT = "not watched: "

_BUFFER = 512
"""Bytes read at once: 16 events. Reading more would delay what is done about the first one."""

# O_NONBLOCK: the kernel opens the file for us, and must not wait for the writer of a FIFO.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME | os.O_NONBLOCK | getattr(os, "O_LARGEFILE", 0)


class Fanotify:
    """Watches the file systems of `roots`; reports what happens anywhere on them.

    Raises:
        NotPermitted: not root.
        VigieError: this kernel does not do it, or no file system of `roots` can be watched.
    """

    name = "fanotify"
    attribution = True

    def __init__(self, roots: Sequence[str]) -> None:
        self._fd = _open()
        self._mounts = Mounts(roots, self._mark)
        self.extend()
        if not self.filesystems:
            reasons = "; ".join(self.lost) or "no mounted file system found"
            self.close()
            raise VigieError("fanotify", reasons, "Use --sensor watchfiles, which says what is lost.")

    @property
    def lost(self) -> tuple[str, ...]:
        """File systems that cannot be watched, or only for what this machine writes."""
        return tuple(problem for problem in self._mounts.problems.values() if problem)

    @property
    def filesystems(self) -> tuple[str, ...]:
        """Mount points that are watched."""
        problems = self._mounts.problems.items()
        return tuple(point for point, problem in problems if not problem.startswith(_NOT))

    def fileno(self) -> int:
        """Readable when events wait."""
        return self._fd

    def extend(self) -> list[str]:
        """Mark the file systems at and below the roots that are not marked yet."""
        return self._mounts.extend()

    def ignore(self, folder: str) -> None:
        """Have no events for the files that are in a folder now.

        Each event opens its file in this process; and closing any descriptor of a file gives up all locks
        that this process has on it (fcntl(2), "Record locks"): rows of our own SQLite files would be lost.
        """
        flags = abi.FAN_MARK_IGNORED_MASK | abi.FAN_MARK_IGNORED_SURV_MODIFY
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):  # gone already
                    abi.mark(self._fd, flags, abi.FAN_CLOSE_WRITE, entry.path)

    def read(self) -> list[Event]:
        """The next events, at most 16."""
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return []
        except OSError as error:
            # The kernel opens the file as we read; where that fails it drops this one event.
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                return [Overflow(f"an event was lost: {os.strerror(error.errno)}")]
            return []
        events: list[Event] = []
        for mask, fd, pid, pidfd in parse(data):
            if mask & abi.FAN_Q_OVERFLOW:
                events.append(Overflow("the kernel's queue of events ran over"))
            elif fd >= 0:
                path = os.readlink(f"/proc/self/fd/{fd}")
                if path.endswith(" (deleted)") and os.fstat(fd).st_nlink == 0:
                    path = path.removesuffix(" (deleted)")
                events.append(
                    Written(path, fd, pid, pidfd if pidfd >= 0 else None, gone=pidfd == abi.FAN_NOPIDFD)
                )
        return events

    def close(self) -> None:
        """Stop watching."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            self._mounts.close()

    def _mark(self, mount: Mount) -> str:
        """Watch one file system; what is wrong with that, in words."""
        try:
            abi.mark(self._fd, abi.FAN_MARK_FILESYSTEM, abi.FAN_CLOSE_WRITE, mount.point)
        except OSError as error:
            return f"{_NOT}{mount.point}: {(error.strerror or '').lower()}"
        if mount.remote:
            return f"{mount.point} ({mount.kind}): what other machines write there is not seen"
        return ""


def _open() -> int:
    for flags in (abi.FAN_REPORT_PIDFD, 0):
        try:
            return abi.init(flags, _OPEN)
        except OSError as error:
            problem = error
            if error.errno != errno.EINVAL:  # EINVAL: a flag that this kernel does not know
                break
    if problem.errno == errno.EPERM:
        remedy = "Run as root (CAP_SYS_ADMIN), or use --sensor watchfiles, which says what is lost."
        raise NotPermitted("fanotify", "it is for root only", remedy)
    words = problem.strerror or str(problem)
    raise VigieError("fanotify", words, "Use --sensor watchfiles, which says what is lost.")


def parse(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Mask, descriptor, pid and pidfd of each event in what was read.

    A pidfd of FAN_NOPIDFD means that the process is gone, FAN_EPIDFD that nothing is known of it.
    """
    for mask, fd, pid, at, end in abi.events(data):
        pidfd = abi.FAN_EPIDFD
        for kind, begin, stop in abi.infos(data, at, end):
            if kind == abi.INFO_PIDFD:
                pidfd = abi.pidfd_in(data, begin, stop)
        yield mask, fd, pid, pidfd
