"""The share on the disk: a folder that this run made and marked, and what is in every document of it.

Whatever changes a file asks first whether it is the very one this run wrote there (device, inode, time), and
reaches it from the marked folder through no link: `vigie.drill.playground` does both.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger import Content, Document, digest

from vigie.drill import playground
from vigie.drill.playground import NotAPlayground, Stamp


class Share:
    """The files, and the ledger of them. Paths are relative to `folder`; times are nanoseconds since 1970."""

    def __init__(self, parent: Path) -> None:
        self._ground = playground.create(parent)
        self.folder = self._ground.folder
        self.documents: list[Document] = []
        self.wards: tuple[str, ...] = ()
        """Whose folders there are."""
        self.snapshot = 0
        """Number of the backup that comes next."""
        self.touched: set[int] = set()
        """Documents that were changed since the last backup, by `id`."""
        self._stamps: dict[str, Stamp] = {}
        self._root = -1

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Where everything below has to happen: the folder is looked at, and held open."""
        with playground.entered(self.folder, self._ground.token) as (root, _):
            self._root = root
            try:
                yield
            finally:
                self._root = -1

    def remove(self) -> None:
        """Delete all of it."""
        playground.remove(self._ground)

    def taken(self, path: str) -> bool:
        """Whether there is a file of this name."""
        return path in self._stamps

    def add(self, path: str, kind: str, data: bytes, when: int, how: str = "new") -> Document:
        """A new document."""
        self.place(path, data, when)
        document = Document(kind, [Content(self.snapshot, path, digest(data), len(data), how)])
        self.documents.append(document)
        self.touched.add(id(document))
        return document

    def place(self, path: str, data: bytes, when: int) -> None:
        """A new file that is no document: what an attack leaves behind.

        Raises:
            FileExistsError: the name is taken.
        """
        os.makedirs(self.folder / os.path.dirname(path), exist_ok=True)
        with playground.parent_of(self._root, path) as (parent, name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(name, flags, 0o640, dir_fd=parent), "wb") as file:
                file.write(data)
                file.flush()
                self._stamp(path, file.fileno(), when)

    def read(self, document: Document) -> bytes:
        """What is in it now."""
        with self._own(document.path, os.O_RDONLY) as descriptor, open(os.dup(descriptor), "rb") as file:
            return file.read()

    def write(self, document: Document, data: bytes, when: int, how: str) -> None:
        """Other bytes in place."""
        with self._own(document.path, os.O_RDWR) as descriptor:
            with open(os.dup(descriptor), "wb", closefd=True) as file:
                file.truncate(0)
                file.write(data)
            self._stamp(document.path, descriptor, when)
        self._became(document, document.path, digest(data), len(data), how)

    def rename(self, document: Document, path: str, how: str = "renamed") -> None:
        """Another name, below another folder perhaps.

        Raises:
            FileExistsError: the name is taken.
        """
        old = document.path
        if path in self._stamps:
            raise FileExistsError(path)
        os.makedirs(self.folder / os.path.dirname(path), exist_ok=True)
        with (
            self._own(old, os.O_RDONLY),
            playground.parent_of(self._root, old) as (here, name),
            playground.parent_of(self._root, path) as (there, other),
        ):
            os.rename(name, other, src_dir_fd=here, dst_dir_fd=there)
        self._stamps[path] = self._stamps.pop(old)
        last = document.contents[-1]
        self._became(document, path, last.digest, last.size, how)

    def delete(self, document: Document) -> None:
        """Its user throws it away."""
        path = document.path
        with self._own(path, os.O_RDONLY), playground.parent_of(self._root, path) as (parent, name):
            os.unlink(name, dir_fd=parent)
        del self._stamps[path]
        document.gone = self.snapshot
        self.touched.add(id(document))

    def restamp(self, document: Document, when: int) -> None:
        """Another modification time."""
        with self._own(document.path, os.O_RDONLY) as descriptor:
            self._stamp(document.path, descriptor, when)

    def backed_up(self) -> None:
        """The day is over: what was never in a backup is forgotten, and the next one begins."""
        self.documents = [d for d in self.documents if d.gone != d.contents[0].snapshot]
        self.touched.clear()
        self.snapshot += 1

    def _became(self, document: Document, path: str, name: str, size: int, how: str) -> None:
        document.become(Content(self.snapshot, path, name, size, how))
        self.touched.add(id(document))

    def _stamp(self, path: str, descriptor: int, when: int) -> None:
        os.utime(descriptor, ns=(when, when))
        status = os.fstat(descriptor)
        self._stamps[path] = Stamp(status.st_dev, status.st_ino, status.st_mtime_ns)

    @contextmanager
    def _own(self, path: str, mode: int) -> Iterator[int]:
        """A descriptor of the file, if it is the one this run wrote.

        Raises:
            NotAPlayground: it is not.
        """
        expected = self._stamps.get(path)
        if expected is None:
            raise NotAPlayground(path, "this run made no such file")
        with playground.parent_of(self._root, path) as (parent, name):
            descriptor = os.open(name, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not playground.ours(status, expected):
                raise NotAPlayground(path, "is not the file that this run wrote")
            yield descriptor
        finally:
            os.close(descriptor)
