"""The paths of folders that the kernel names by file handle (open_by_handle_at(2)), remembered."""

import errno
import os
from collections import OrderedDict

from vigie.watch import fanotify_abi as abi
from vigie.watch.mounts import fsid_of
from vigie.watch.name_changes import Handle

ELSEWHERE = ""
"""The path of a folder below no mount point that we know: another namespace's, or hidden by a mount."""

_CACHE = 4096
_PATH = os.O_PATH | os.O_CLOEXEC
# O_NONBLOCK: what a file is mounted over may be a FIFO.
_MOUNT = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class FolderHandles:
    """Finds the paths. Needs CAP_DAC_READ_SEARCH.

    No descriptor of a mount point is kept: one would make `umount` say "target is busy" to people.
    """

    def __init__(self) -> None:
        self._points: dict[int, dict[str, None]] = {}
        self._paths: OrderedDict[Handle, str] = OrderedDict()

    def mounted(self, fsid: int, point: str) -> None:
        """A file system can be reached there; one may be mounted at several places."""
        self._points.setdefault(fsid, {})[point] = None
        self.forget()  # what was hidden may be in sight, and the other way round

    def path(self, handle: Handle) -> str | None:
        """The folder's path as of now or a moment ago; `ELSEWHERE`; or None when the folder is gone."""
        known = self._paths.get(handle)
        if known is None:
            known = self._find(handle)
            if known is not None:
                self.learn(handle, known)
        return known

    def learn(self, handle: Handle, path: str) -> None:
        """It is, or was, there."""
        self._paths[handle] = path
        if len(self._paths) > _CACHE:
            self._paths.popitem(last=False)

    def forget(self, handle: Handle | None = None) -> None:
        """Forget one, or all: a folder that is given another name changes the paths of all below it."""
        if handle is None:
            self._paths.clear()
        else:
            self._paths.pop(handle, None)

    def _find(self, handle: Handle) -> str | None:
        fsid, raw = handle
        gone = False
        for point in tuple(self._points.get(fsid, ())):
            try:
                mount = os.open(point, _MOUNT)
            except OSError:  # its folder is gone too
                continue
            try:
                if fsid_of(mount) != fsid:  # unmounted: another file system's handles mean nothing here
                    del self._points[fsid][point]
                    continue
                path = _path_below(mount, raw)
            except OSError as error:
                gone = gone or error.errno == errno.ESTALE
                continue
            finally:
                os.close(mount)
            if path:
                return path
        return None if gone else ELSEWHERE


def _path_below(mount: int, raw: bytes) -> str:
    """The path of what a handle means through one mount, or nothing when that does not lead there.

    Raises:
        OSError: ESTALE when it is gone.
    """
    folder = abi.open_by_handle(mount, raw, _PATH)
    try:
        here = os.fstat(folder)
        if here.st_nlink == 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        try:
            # Of what lies outside a bind mount the kernel tells a path that is somebody else's for us.
            path = os.readlink(f"/proc/self/fd/{folder}")
            there = os.stat(path)
        except OSError:
            return ""
        return path if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) else ""
    finally:
        os.close(folder)
