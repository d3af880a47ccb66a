import errno
import os
import socket
import stat
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from vigie.errors import NoSuchTarget, Unreadable
from vigie.model import Entry, Skipped
from vigie.sources import folder
from vigie.sources.folder import FolderEntry, walk


def paths(found: Iterable[Entry | Skipped], top: Path) -> list[str]:
    return [item.path.removeprefix(f"{top}/") for item in found]


def fill(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_files_come_sorted_with_size_and_time_and_open(tmp_path: Path) -> None:
    fill(tmp_path, "b/2", "b/1", "a.txt", "c", "B")
    os.utime(tmp_path / "c", ns=(1, 1_234_567_890_123_456_789))
    found = [item for item in walk([str(tmp_path)]) if isinstance(item, Entry)]
    assert paths(found, tmp_path) == ["B", "a.txt", "b/1", "b/2", "c"]
    assert (found[-1].size, found[-1].mtime_ns) == (1, 1_234_567_890_123_456_789)
    blob = found[2].open()
    assert blob.at(0, 10) == b"b/1"
    blob.close()


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xe9t\xe9"
    with open(name, "wb") as file:
        file.write(b"x")
    (entry,) = walk([str(tmp_path)])
    assert os.fsencode(entry.path) == name
    assert isinstance(entry, Entry)
    entry.open().close()


def test_links_inside_are_no_entries_and_links_given_are_followed(tmp_path: Path) -> None:
    fill(tmp_path, "data/file")
    os.symlink("file", tmp_path / "data/link")
    os.symlink("..", tmp_path / "data/up")
    os.symlink("nowhere", tmp_path / "data/broken")
    os.symlink("data", tmp_path / "folder")
    os.symlink("data/file", tmp_path / "alias")
    assert paths(walk([str(tmp_path / "data")]), tmp_path) == ["data/file"]
    assert paths(walk([str(tmp_path / "folder")]), tmp_path) == ["folder/file"]
    (entry,) = walk([str(tmp_path / "alias")])
    assert entry.path == str(tmp_path / "alias")
    assert isinstance(entry, Entry)
    blob = entry.open()
    assert blob.at(0, 9) == b"data/file"
    blob.close()


def test_special_files_are_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        found = list(walk([str(tmp_path), str(tmp_path / "pipe"), "/dev/null"]))
    assert found == [
        Skipped(str(tmp_path / "pipe"), "a named pipe"),
        Skipped(str(tmp_path / "socket"), "a socket"),
        Skipped(str(tmp_path / "pipe"), "a named pipe"),
        Skipped("/dev/null", "a device"),
    ]


@pytest.mark.parametrize("target", ["nothing", "file/below", "broken", "zero\0byte"])
def test_a_target_that_does_not_exist_stops_everything_first(tmp_path: Path, target: str) -> None:
    fill(tmp_path, "file")
    os.symlink("nowhere", tmp_path / "broken")
    with pytest.raises(NoSuchTarget) as raised:
        walk([str(tmp_path), str(tmp_path / target)])
    assert raised.value.remedy


def test_a_target_that_cannot_be_looked_at_is_skipped(tmp_path: Path) -> None:
    fill(tmp_path, "file")
    long = str(tmp_path / ("x" * 300))
    found = list(walk([long, str(tmp_path / "file")]))
    assert found[0] == Skipped(long, "its path is too long to open")
    assert isinstance(found[1], Entry)


def test_what_is_excluded_is_left_out_with_all_below(tmp_path: Path) -> None:
    fill(tmp_path, "a.iso", "b.txt", "cache/x", "keep/cache.txt", "keep/deep/c.iso", "state/y")
    found = walk([str(tmp_path)], exclude=["*.iso", "cache", f"{tmp_path}/state"])
    assert paths(found, tmp_path) == ["b.txt", "keep/cache.txt"]


def test_a_tree_deeper_than_any_path_is_walked_as_far_as_it_opens(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    name = "d" * 200
    for _ in range(30):
        os.mkdir(name, dir_fd=here)
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    fill(tmp_path, "z")
    found = list(walk([str(tmp_path)]))
    assert [type(item) for item in found] == [Skipped, FolderEntry]
    assert isinstance(found[0], Skipped)
    assert found[0].reason == "its path is too long to open"


def test_many_levels_need_no_recursion(tmp_path: Path) -> None:
    levels = [f"{tmp_path}{'/d' * depth}" for depth in range(1, 1500)]
    try:
        # One by one, and taken down so: os.makedirs and shutil.rmtree do recurse.
        for level in levels:
            os.mkdir(level)
        os.mkfifo(f"{levels[-1]}/pipe")
        assert list(walk([str(tmp_path)])) == [Skipped(f"{levels[-1]}/pipe", "a named pipe")]
    finally:
        os.unlink(f"{levels[-1]}/pipe")
        for level in reversed(levels):
            os.rmdir(level)


def test_what_vanishes_meanwhile_is_said(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b/c", "d", "e")
    found = walk([str(tmp_path)])
    assert next(found).path.endswith("/a")
    (tmp_path / "b/c").unlink()
    (tmp_path / "b").rmdir()
    (tmp_path / "d").unlink()
    gone = [Skipped(str(tmp_path / name), "vanished while walking") for name in ("b", "d")]
    assert [next(found), next(found)] == gone
    last = next(found)
    (tmp_path / "e").unlink()
    assert isinstance(last, Entry)
    with pytest.raises(Unreadable, match="vanished"):
        last.open()


class Refusing:
    """Stands in for `os.scandir`: lists a folder, then fails as a disk would."""

    def __init__(self, genuine: Iterator[os.DirEntry[str]], error: OSError) -> None:
        self.genuine, self.error = genuine, error

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return self.entries()

    def __exit__(self, *_: object) -> None:
        return None

    def entries(self) -> Iterator[os.DirEntry[str]]:
        yield from self.genuine
        raise self.error


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.EACCES, "no permission"), (errno.EIO, "input/output"), (errno.ENOENT, "vanished while walking")],
)
def test_an_error_half_way_through_a_folder_keeps_what_was_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    fill(tmp_path, "a", "b")
    genuine = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: Refusing(genuine(path), OSError(code, "x")))
    skipped, *entries = walk([str(tmp_path)])
    assert isinstance(skipped, Skipped)
    assert reason in skipped.reason
    assert paths(entries, tmp_path) == ["a", "b"]


class Faked:
    """A directory entry whose status is made up."""

    def __init__(self, path: str, status: os.stat_result | OSError) -> None:
        self.name, self.status = os.path.basename(path), status


def fake_listing(monkeypatch: pytest.MonkeyPatch, *entries: Faked) -> None:
    statuses = {entry.name: entry.status for entry in entries}

    def lstat(path: str) -> os.stat_result:
        status = statuses[os.path.basename(path)]
        if isinstance(status, OSError):
            raise status
        return status

    monkeypatch.setattr(os, "lstat", lstat)

    class Listing:
        def __enter__(self) -> Iterator[Faked]:
            return iter(entries)

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(os, "scandir", lambda _: Listing())


def status(mode: int, inode: int, device: int) -> os.stat_result:
    return os.stat_result((mode, inode, device, 1, 0, 0, 5, 0, 0, 0))


def test_a_folder_that_contains_itself_is_entered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = os.stat(tmp_path)
    fake_listing(monkeypatch, Faked(f"{tmp_path}/again", top))
    assert list(walk([str(tmp_path)])) == [Skipped(f"{tmp_path}/again", "a folder that contains itself")]


def test_one_folder_mounted_at_two_places_is_read_at_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = status(stat.S_IFDIR, 5, os.stat(tmp_path).st_dev)
    fake_listing(monkeypatch, Faked(f"{tmp_path}/x", same), Faked(f"{tmp_path}/y", same))
    # Either is entered, and finds both inside itself.
    assert len(list(walk([str(tmp_path)]))) == 4


def test_other_file_systems_are_left_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = os.stat(tmp_path).st_dev
    fake_listing(
        monkeypatch,
        Faked(f"{tmp_path}/a", status(stat.S_IFREG, 1, home)),
        Faked(f"{tmp_path}/b", status(stat.S_IFREG, 2, home + 77)),
        Faked(f"{tmp_path}/c", status(stat.S_IFDIR, 3, home + 77)),
        Faked(f"{tmp_path}/d", OSError(errno.EIO, "x")),
    )
    inside, *outside = walk([str(tmp_path)], one_filesystem=True)
    assert isinstance(inside, Entry)
    assert [type(item) for item in outside] == [Skipped] * 3
    assert {item.reason for item in outside[:2] if isinstance(item, Skipped)} == {"on another file system"}


def test_the_kernels_own_file_systems_are_not_entered() -> None:
    found = list(walk(["/proc", "/proc/self/status"]))
    assert [type(item) for item in found] == [Skipped, Skipped]
    assert all("proc" in item.reason for item in found if isinstance(item, Skipped))


def test_without_a_list_of_mounts_the_walk_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOENT, "x")

    monkeypatch.setattr(folder, "open", refuse, raising=False)
    assert len(list(walk([str(tmp_path)]))) == 1


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    path = str(tmp_path / "a")
    assert list(walk([path])) == [Skipped(path, "symbolic links that lead in a circle")]


def test_what_tells_a_file_from_another_comes_along(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    status = os.stat(tmp_path / "a")
    (entry,) = walk([str(tmp_path)])
    assert isinstance(entry, FolderEntry)
    assert (entry.dev, entry.ino, entry.ctime_ns) == (status.st_dev, status.st_ino, status.st_ctime_ns)
    (given,) = walk([str(tmp_path / "a")])
    assert type(given) is Entry


def test_a_folder_is_left_when_all_in_it_was_yielded(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b/1", "b/c/2", "d")
    (tmp_path / "empty").mkdir()
    told: list[str] = []
    found = walk([str(tmp_path)], left=lambda folder, whole: told.append(f"{folder} {whole}"))
    told.extend(item.path for item in found)
    assert [text.removeprefix(f"{tmp_path}") for text in told] == [
        "/a", "/b/1", "/b/c/2", "/b/c True", "/b True", "/d", "/empty True", " True",
    ]  # fmt: skip


def test_a_listing_that_broke_off_is_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a")
    genuine = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: Refusing(genuine(path), OSError(errno.EIO, "x")))
    told: list[tuple[str, bool]] = []
    assert len(list(walk([str(tmp_path)], left=lambda *left: told.append(left)))) == 2
    assert told == [(str(tmp_path), False)]


def test_of_a_huge_folder_names_are_kept_and_no_more(tmp_path: Path) -> None:
    for number in range(20_000):
        os.mknod(tmp_path / f"{number:06}.txt")
    tracemalloc.start()
    try:
        assert sum(1 for _ in walk([str(tmp_path)])) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000 * 200


def test_the_root_folder_is_walked_without_double_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_listing(monkeypatch, Faked("/x", status(stat.S_IFREG, 1, os.stat("/").st_dev)))
    assert [item.path for item in walk(["/"])] == ["/x"]
