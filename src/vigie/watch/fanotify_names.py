"""The sensor of names: what is renamed and deleted on whole file systems, by fanotify's file handles.

Written after fanotify(7), "Events with file identifiers". An event names folders by handle, and the file by
its name there; the file itself may be gone. Changes of folders are not reported: a rule that counts files
must not count the folder that held them. They are asked for since a renamed folder changes the paths of all
below it, and since a removed one (`rm -r`) can be named only by the event of its own removal, which comes
after those of its files: what was deleted in it waits for that.

A group beside the other sensor's: events of this kind carry no open file, which the guard needs of what was
written.
"""

import errno
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from vigie.errors import VigieError
from vigie.watch import fanotify_abi as abi
from vigie.watch.events import Moved, NameEvent, Overflow, Removed
from vigie.watch.folder_handles import FolderHandles
from vigie.watch.mounts import Mount, Mounts, fsid_of
from vigie.watch.name_changes import Change, Handle, Name, parse

_BUFFER = 8192
"""Bytes read at once: some 60 events, and the longest names fit."""
_PAIRS = 256
"""Processes of which half a rename is remembered."""
_ORPHANS = 4096
"""Changes that wait for the path of their folder."""

_MOVES = abi.FAN_RENAME | abi.FAN_MOVED_FROM | abi.FAN_MOVED_TO


class Names:
    """Watches the file systems of `roots`; reports what happens below the roots.

    Raises:
        VigieError: this kernel does not do it (before Linux 5.9), or not for any file system of `roots`.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = frozenset(roots)
        self._below = tuple(root.rstrip("/") + "/" for root in roots)
        self._own = os.getpid()
        self._folders = FolderHandles()
        self._pairs: OrderedDict[int, str] = OrderedDict()
        self._orphans = Orphans()
        self._fd = _open()
        self._mask = abi.FAN_DELETE | abi.FAN_ONDIR | abi.FAN_RENAME
        self._mounts = Mounts(roots, self._mark)
        self.extend()
        problems = self._mounts.problems
        if all(problems.values()):
            self.close()
            words = "; ".join(problems.values()) or "no mounted file system found"
            raise VigieError("fanotify", words, "Files that are written are watched all the same.")

    @property
    def lost(self) -> tuple[str, ...]:
        """File systems where renames and deletions are not seen."""
        return tuple(problem for problem in self._mounts.problems.values() if problem)

    @property
    def unplaced(self) -> int:
        """Changes of which it will never be known where they happened."""
        return self._orphans.given_up

    def fileno(self) -> int:
        """Readable when events wait."""
        return self._fd

    def extend(self) -> list[str]:
        """Mark the file systems that are not marked yet; what waits for its folder's path waits no longer."""
        self._orphans.age()
        return self._mounts.extend()

    def read(self) -> list[NameEvent]:
        """The next events below the roots: those of some 60 that happened anywhere."""
        try:
            data = os.read(self._fd, _BUFFER)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                return [Overflow(f"a change of a name was lost: {os.strerror(error.errno)}")]
            return []  # BlockingIOError: none waits
        events: list[NameEvent] = []
        for change in parse(data):
            found = self._take(change)
            events += found
            # Whoever takes an event closes its pidfd; nobody takes this one.
            if change.pidfd >= 0 and not any(
                e.pidfd == change.pidfd for e in found if not isinstance(e, Overflow)
            ):
                os.close(change.pidfd)
        return events

    def close(self) -> None:
        """Stop watching."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            self._mounts.close()

    def _mark(self, mount: Mount) -> str:
        """Watch one file system; what is wrong with that, in words."""
        what = f"renames and deletions are not seen: {mount.point} ({mount.kind}): "
        if mount.remote:
            return what + "other machines make them"  # and a server that is gone must not make us wait
        fsid = fsid_of(mount.point)
        if not fsid:
            return what + "this file system has no id"
        try:
            self._ask(mount.point)
        except OSError as error:
            return what + abi.why(error)
        self._folders.mounted(fsid, mount.point)
        return ""

    def _ask(self, point: str) -> None:
        try:
            abi.mark(self._fd, abi.FAN_MARK_FILESYSTEM, self._mask, point)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._mask & abi.FAN_RENAME:
                raise
            # Before Linux 5.17 a rename is two events, that are put together again here.
            self._mask ^= abi.FAN_RENAME | abi.FAN_MOVED_FROM | abi.FAN_MOVED_TO
            abi.mark(self._fd, abi.FAN_MARK_FILESYSTEM, self._mask, point)

    def _take(self, change: Change) -> list[NameEvent]:
        if change.mask & abi.FAN_Q_OVERFLOW:
            self._pairs.clear()
            self._folders.forget()
            return [Overflow("the kernel's queue of changed names ran over")]
        if change.mask & abi.FAN_ONDIR:
            if change.mask & _MOVES:
                self._folders.forget()
            return self._folder_removed(change) if change.mask & abi.FAN_DELETE else []
        if change.pid == self._own or change.at is None:
            return []
        path = self._path(change.at)
        if path is None:
            self._orphans.add(change.at.folder, change)
            return []
        if change.mask & abi.FAN_RENAME:
            return self._moved(change, path, self._path(change.to))
        # Events of one name by one process may have been joined by the kernel: each bit is looked at.
        found: list[NameEvent] = []
        if change.mask & abi.FAN_MOVED_TO and (old := self._pairs.pop(change.pid, None)) is not None:
            found += self._moved(change, old, path)
        if change.mask & abi.FAN_MOVED_FROM:
            self._pairs[change.pid] = path
            if len(self._pairs) > _PAIRS:
                self._pairs.popitem(last=False)
        if change.mask & abi.FAN_DELETE:  # a pidfd is handed over once
            found += self._removed(replace(change, pidfd=abi.FAN_EPIDFD) if found else change, path)
        return found

    def _moved(self, change: Change, old: str, new: str | None) -> list[NameEvent]:
        if not new:  # to where we cannot look: for people it is gone
            return self._removed(change, old)
        if not old or not (self._covers(old) or self._covers(new)):
            return []
        return [Moved(new, old, *_who(change))]

    def _removed(self, change: Change, path: str) -> list[NameEvent]:
        return [Removed(path, *_who(change))] if self._covers(path) else []

    def _folder_removed(self, change: Change) -> list[NameEvent]:
        """Its path is known by this at last, so what was deleted in it, and in those below, can be told."""
        found: list[NameEvent] = []
        removed = [change]
        while removed:
            folder = removed.pop()
            if folder.at is None or folder.itself is None:
                continue
            path = self._path(folder.at)
            if path is None:
                self._orphans.add(folder.at.folder, folder)
                continue
            self._folders.learn(folder.itself, path)
            for one in self._orphans.take(folder.itself):
                if one.mask & abi.FAN_ONDIR:
                    removed.append(one)
                else:
                    found += self._take(one)
        return found

    def _path(self, name: Name | None) -> str | None:
        """A path; nothing for one that has none here; None if its folder is gone."""
        folder = self._folders.path(name.folder) if name is not None else None
        if name is None or not folder:
            return folder
        return f"{folder.rstrip('/')}/{name.name}"

    def _covers(self, path: str) -> bool:
        return path.startswith(self._below) or path in self._roots


class Orphans:
    """Changes in folders that were gone when the events were read, until it is known where these were."""

    def __init__(self) -> None:
        self._new: dict[Handle, list[Change]] = {}
        self._old: dict[Handle, list[Change]] = {}
        self._count = 0
        self.given_up = 0

    def add(self, folder: Handle, change: Change) -> None:
        """One more; its descriptor is not kept."""
        if change.pidfd >= 0:
            change = replace(change, pidfd=abi.FAN_EPIDFD)
        self._new.setdefault(folder, []).append(change)
        self._count += 1
        if self._count > _ORPHANS:
            self.age()

    def take(self, folder: Handle) -> list[Change]:
        """Those in a folder, in their order."""
        return self._old.pop(folder, []) + self._new.pop(folder, [])

    def age(self) -> None:
        """Give up those that were there already when this was last called."""
        self.given_up += sum(map(len, self._old.values()))
        self._old, self._new, self._count = self._new, {}, 0


def _who(change: Change) -> tuple[int | None, int | None, bool]:
    """Pid (0: of a process that we cannot see), pidfd, and whether it has ended."""
    pidfd = change.pidfd if change.pidfd >= 0 else None
    return change.pid or None, pidfd, change.pidfd == abi.FAN_NOPIDFD


def _open() -> int:
    base = abi.FAN_REPORT_FID | abi.FAN_REPORT_DFID_NAME
    for flags in (base | abi.FAN_REPORT_TARGET_FID | abi.FAN_REPORT_PIDFD, base | abi.FAN_REPORT_PIDFD, base):
        try:
            return abi.init(flags, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            problem = error
            if error.errno != errno.EINVAL:  # EINVAL: a flag that this kernel does not know
                break
    words = f"renames and deletions are not seen: {(problem.strerror or str(problem)).lower()}"
    raise VigieError("fanotify", words, "Files that are written are watched all the same.")
