"""The fanotify sensor: every file closed after writing on whole file systems, with the process that did it.

Written after fanotify(7), fanotify_init(2) and fanotify_mark(2); needs CAP_SYS_ADMIN. FAN_CLOSE_WRITE is
asked for and FAN_MODIFY is not: the latter comes once a write(2), so that copying one large file would wake
the guard thousands of times, each time on a file that is half done. Writes through mmap(2) are covered: the
close is reported when the last mapping goes (the kernel reports it when it lets go of the open file).
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Sequence

from vigie.errors import NotPermitted, VigieError
from vigie.watch.events import Event, Overflow, Written
from vigie.watch.mounts import mounts_of

# Flags: fanotify_init(2).
FAN_CLOEXEC = 0x1
FAN_NONBLOCK = 0x2
FAN_CLASS_NOTIF = 0x0
FAN_UNLIMITED_QUEUE = 0x10
FAN_UNLIMITED_MARKS = 0x20
FAN_REPORT_PIDFD = 0x80  # Linux 5.15
# Flags and mask: fanotify_mark(2).
FAN_MARK_ADD = 0x1
FAN_MARK_FILESYSTEM = 0x100  # Linux 4.20
FAN_MARK_IGNORED_MASK = 0x20
FAN_MARK_IGNORED_SURV_MODIFY = 0x40
FAN_CLOSE_WRITE = 0x8
FAN_Q_OVERFLOW = 0x4000
# Structures: fanotify(7), "Reading fanotify events".
_METADATA = struct.Struct("=IBBHQii")  # event_len, vers, reserved, metadata_len, mask, fd, pid
_VERSION = 3
_INFO = struct.Struct("=BBHi")  # info_type, pad, len, and the pidfd of fanotify_event_info_pidfd
_INFO_TYPE_PIDFD = 4
_NONE = -1
"""FAN_NOFD, FAN_NOPIDFD; FAN_EPIDFD is -2."""

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
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._roots = tuple(roots)
        self._points: dict[str, str] = {}
        self._fd = self._open()
        self.extend()
        if not self.filesystems:
            self.close()
            reasons = "; ".join(self.lost) or "no mounted file system found"
            raise VigieError("fanotify", reasons, "Use --sensor watchfiles, which says what is lost.")

    @property
    def lost(self) -> tuple[str, ...]:
        """File systems that cannot be watched, or only for what this machine writes."""
        return tuple(problem for problem in self._points.values() if problem)

    @property
    def filesystems(self) -> tuple[str, ...]:
        """Mount points that are watched."""
        return tuple(p for p, problem in self._points.items() if not problem.startswith("not watched"))

    def fileno(self) -> int:
        """Readable when events wait."""
        return self._fd

    def extend(self) -> list[str]:
        """Mark the file systems at and below the roots that are not marked yet."""
        added = []
        mounts = mounts_of(self._roots)
        for gone in self._points.keys() - {mount.point for mount in mounts}:
            del self._points[gone]
        for mount in mounts:
            if mount.point in self._points:
                continue
            problem = self._mark(mount.point)
            if not problem and mount.remote:
                problem = f"{mount.point} ({mount.kind}): what other machines write there is not seen"
            self._points[mount.point] = problem
            added.append(mount.point)
        return added

    def ignore(self, folder: str) -> None:
        """Have no events for the files that are in a folder now.

        Each event opens its file in this process; and closing any descriptor of a file gives up all locks
        that this process has on it (fcntl(2), "Record locks"): rows of our own SQLite files would be lost.
        """
        flags = FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY
        for entry in os.scandir(folder):
            self._libc.fanotify_mark(
                self._fd, ctypes.c_uint(flags), ctypes.c_uint64(FAN_CLOSE_WRITE), -1, os.fsencode(entry.path)
            )

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
            if mask & FAN_Q_OVERFLOW:
                events.append(Overflow("the kernel's queue of events ran over"))
            elif fd >= 0:
                path = os.readlink(f"/proc/self/fd/{fd}")
                if path.endswith(" (deleted)") and os.fstat(fd).st_nlink == 0:
                    path = path.removesuffix(" (deleted)")
                events.append(Written(path, fd, pid, pidfd if pidfd >= 0 else None))
        return events

    def close(self) -> None:
        """Stop watching."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self) -> int:
        base = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS
        for flags in (base | FAN_REPORT_PIDFD, base):
            fd = int(self._libc.fanotify_init(ctypes.c_uint(flags), ctypes.c_uint(_OPEN)))
            if fd >= 0:
                return fd
            if ctypes.get_errno() != errno.EINVAL:  # EINVAL: a flag that this kernel does not know
                break
        code = ctypes.get_errno()
        if code == errno.EPERM:
            remedy = "Run as root (CAP_SYS_ADMIN), or use --sensor watchfiles, which says what is lost."
            raise NotPermitted("fanotify", "it is for root only", remedy)
        raise VigieError("fanotify", os.strerror(code), "Use --sensor watchfiles, which says what is lost.")

    def _mark(self, point: str) -> str:
        """Watch one file system; what went wrong, in words."""
        flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM
        done = self._libc.fanotify_mark(
            self._fd, ctypes.c_uint(flags), ctypes.c_uint64(FAN_CLOSE_WRITE), -1, os.fsencode(point)
        )
        if done == 0:
            return ""
        return f"not watched: {point}: {os.strerror(ctypes.get_errno()).lower()}"


def parse(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Mask, descriptor, pid and pidfd (below 0: none) of each event in what was read."""
    offset = 0
    while offset + _METADATA.size <= len(data):
        length, version, _, header, mask, fd, pid = _METADATA.unpack_from(data, offset)
        end = offset + length
        if version != _VERSION or length < _METADATA.size or end > len(data):
            # Not ours to guess at: the kernel speaks another language than the headers promise.
            yield FAN_Q_OVERFLOW, _NONE, 0, _NONE
            return
        pidfd = _NONE
        at = offset + max(header, _METADATA.size)
        while at + _INFO.size <= end:
            kind, _, size, value = _INFO.unpack_from(data, at)
            if kind == _INFO_TYPE_PIDFD:
                pidfd = value
            at += max(size, _INFO.size)
        yield mask, fd, pid, pidfd
        offset = end
