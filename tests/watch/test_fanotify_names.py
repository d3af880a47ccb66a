"""The sensor of names, on the kernel's own events."""

import errno
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vigie.errors import VigieError
from vigie.watch import fanotify_abi as abi
from vigie.watch import fanotify_names, folder_handles, mounts
from vigie.watch.events import Moved, NameEvent, Overflow, Removed
from vigie.watch.fanotify_names import Names
from vigie.watch.folder_handles import ELSEWHERE, FolderHandles
from vigie.watch.mounts import Mount
from vigie.watch.name_changes import Change, Name

pytestmark = [pytest.mark.root, pytest.mark.alone, pytest.mark.usefixtures("as_root")]

Told = list[tuple[str, ...]]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    (tmp_path / "outside").mkdir()
    return tmp_path / "share"


@pytest.fixture
def names(share: Path) -> Iterator[Names]:
    watching = Names([str(share)])
    yield watching
    watching.close()
    watching.close()


def do(code: str, share: Path) -> int:
    """Run some Python, in the folder; its pid. Events of our own process are not reported."""
    program = f"import os, shutil\nnew = lambda name: open(name, 'w').close()\n{code}"
    child = subprocess.Popen([sys.executable, "-c", program], cwd=share)
    assert child.wait(10) == 0
    return child.pid


def events_of(names: Names, share: Path) -> list[NameEvent]:
    """All that came until a file named `end` was removed."""
    do("new('end'); os.remove('end')", share)
    end = str(share / "end")
    found: list[NameEvent] = []
    while not any(isinstance(e, Removed) and e.path == end for e in found):
        assert select.select([names], [], [], 3)[0], found
        found += names.read()
    for event in found:
        if not isinstance(event, Overflow) and event.pidfd is not None:
            os.close(event.pidfd)
    return [e for e in found if isinstance(e, Overflow) or e.path != end]


def told(events: list[NameEvent], share: Path) -> Told:
    """What was said, with paths as below the share."""
    return [
        ("moved", os.path.relpath(e.old, share), os.path.relpath(e.path, share))
        if isinstance(e, Moved)
        else ("removed", os.path.relpath(e.path, share))
        for e in events
        if not isinstance(e, Overflow)
    ]


def test_renames_and_deletions_are_told_with_their_author(names: Names, share: Path) -> None:
    pid = do("new('a'); os.rename('a', 'a.locked'); os.remove('a.locked')", share)
    events = events_of(names, share)
    assert told(events, share) == [("moved", "a", "a.locked"), ("removed", "a.locked")]
    for event in events:
        assert isinstance(event, Moved | Removed)
        assert (event.pid, event.pidfd, event.gone) == (pid, None, True)  # it has ended: subprocess waited
    assert names.lost == ()
    assert names.unplaced == 0


def test_a_living_author_has_a_pidfd(names: Names, share: Path, start: Callable[..., object]) -> None:
    child = start(
        sys.executable,
        "-c",
        "open('x','w'); import os; os.remove('x'); print('up', flush=True); input()",
        cwd=share,
    )
    assert isinstance(child, subprocess.Popen)
    assert child.stdout is not None
    child.stdout.readline()
    (event,) = names.read()
    assert isinstance(event, Removed)
    assert (event.pid, event.gone) == (child.pid, False)
    assert event.pidfd is not None
    os.close(event.pidfd)


def test_hostile_names_come_as_they_are(names: Names, share: Path) -> None:
    do(
        r"for name in (b'n\n\x1b[2J', b'caf\xe9', b'x' * 255, b' (deleted)'):" + "\n"
        "    new(name); os.rename(name, name[:250] + b'.y'); os.remove(name[:250] + b'.y')",
        share,
    )
    found = told(events_of(names, share), share)
    assert [os.fsencode(words[1]) for words in found if words[0] == "moved"] == [
        b"n\n\x1b[2J",
        b"caf\xe9",
        b"x" * 255,
        b" (deleted)",
    ]


def test_what_happens_elsewhere_or_is_our_own_is_not_told(names: Names, share: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    do("new('../outside/a'); os.rename('../outside/a', '../outside/b'); os.remove('../outside/b')", share)
    (share / "mine").write_text("x")
    (share / "mine").unlink()
    (share.parent / "sharex").write_text("x")
    do("os.remove('../sharex')", share)
    assert told(events_of(names, share), share) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_leaves_or_comes_is_told(names: Names, share: Path) -> None:
    do("new('a'); os.rename('a', '../outside/a'); os.rename('../outside/a', 'b')", share)
    assert told(events_of(names, share), share) == [
        ("moved", "a", "../outside/a"),
        ("moved", "../outside/a", "b"),
    ]


def test_a_renamed_folder_is_no_file_but_changes_the_paths_below(names: Names, share: Path) -> None:
    do("os.makedirs('d/e'); new('d/e/a'); new('d/e/b'); os.remove('d/e/a')", share)
    assert told(events_of(names, share), share) == [("removed", "d/e/a")]
    do("os.rename('d', 'g'); os.remove('g/e/b')", share)
    assert told(events_of(names, share), share) == [("removed", "g/e/b")]


def test_what_was_deleted_with_its_folder_is_named(names: Names, share: Path) -> None:
    do("os.makedirs('d/e/f'); new('d/x'); new('d/e/y'); new('d/e/f/z'); new('d/e/f/w')", share)
    do("os.rename('d/e/f/w', 'd/e/f/v'); shutil.rmtree('d')", share)
    found = told(events_of(names, share), share)
    assert sorted(found) == sorted(
        [
            ("moved", "d/e/f/w", "d/e/f/v"),
            *[("removed", name) for name in ("d/x", "d/e/y", "d/e/f/z", "d/e/f/v")],
        ]
    )
    assert names.unplaced == 0


def test_an_old_kernel_has_renames_in_two_halves(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = abi.mark

    def before_5_17(group: int, flags: int, mask: int, path: str) -> None:
        if mask & abi.FAN_RENAME:
            raise OSError(errno.EINVAL, "invalid")
        real(group, flags, mask, path)

    monkeypatch.setattr(abi, "mark", before_5_17)
    names = Names([str(share)])
    do("os.mkdir('d'); new('a'); os.rename('a', 'd/b'); os.rename('d', 'e'); os.remove('e/b')", share)
    # The kernel joins events of one name: the file was not called by the folder's later name then.
    found = told(events_of(names, share), share)
    assert found[0][:2] == ("moved", "a")
    assert found[-1][0] == "removed"
    names.close()


def test_halves_are_put_together_by_process(
    names: Names, monkeypatch: pytest.MonkeyPatch, share: Path
) -> None:
    monkeypatch.setattr(fanotify_names, "_PAIRS", 2)
    monkeypatch.setattr(FolderHandles, "path", lambda *_: str(share))

    def take(mask: int, pid: int, name: str, pidfd: int = -2) -> Told:
        return told(names._take(Change(mask, pid, pidfd, Name((1, b""), name))), share)

    assert take(abi.FAN_MOVED_FROM, 1, "a") == take(abi.FAN_MOVED_FROM, 2, "b") == []
    assert take(abi.FAN_MOVED_TO, 2, "B") == [("moved", "b", "B")]
    assert take(abi.FAN_MOVED_TO | abi.FAN_DELETE, 1, "A") == [("moved", "a", "A"), ("removed", "A")]
    assert take(abi.FAN_MOVED_TO, 1, "unknown") == []
    for pid in range(3, 6):
        take(abi.FAN_MOVED_FROM, pid, "c")
    assert list(names._pairs) == [4, 5]


def test_where_it_went_or_came_from_may_be_out_of_sight(
    names: Names, monkeypatch: pytest.MonkeyPatch, share: Path
) -> None:
    paths = {(1, b"here"): str(share), (1, b"gone"): None, (1, b"away"): ELSEWHERE}
    monkeypatch.setattr(FolderHandles, "path", lambda _, handle: paths[handle])

    def rename(old: bytes, new: bytes) -> Told:
        change = Change(abi.FAN_RENAME, 1, -2, Name((1, old), "a"), Name((1, new), "b"))
        return told(names._take(change), share)

    assert rename(b"here", b"away") == rename(b"here", b"gone") == [("removed", "a")]
    assert rename(b"away", b"here") == rename(b"away", b"away") == []
    assert rename(b"gone", b"here") == []  # waits for its folder's name
    names.extend()
    names.extend()
    assert names.unplaced == 1
    folder = Change(abi.FAN_DELETE | abi.FAN_ONDIR, 1, -2, Name((1, b"gone"), "d"), itself=(1, b"d"))
    assert names._take(folder) == names._take(Change(abi.FAN_DELETE | abi.FAN_ONDIR, 1, -2)) == []


def test_lost_events_are_said(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    (lost,) = names._take(Change(abi.FAN_Q_OVERFLOW, 0, -2))
    assert isinstance(lost, Overflow)

    def fail(code: int) -> None:
        def read(*_: object) -> bytes:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "read", read)

    fail(errno.EMFILE)
    assert isinstance(names.read()[0], Overflow)
    fail(errno.EAGAIN)
    assert names.read() == []


def test_where_it_cannot_be_had_is_said(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(code: int) -> Callable[..., int]:
        def call(*_: object) -> int:
            raise OSError(code, os.strerror(code))

        return call

    table = [Mount("/", "ext4"), Mount("/srv/nas", "nfs4")]
    monkeypatch.setattr(mounts, "mounts_of", lambda _: table)
    names = Names([str(share)])
    assert names.lost == ("renames and deletions are not seen: /srv/nas (nfs4): other machines make them",)
    names.close()
    with monkeypatch.context() as patch:
        patch.setattr(abi, "mark", refuse(errno.EOPNOTSUPP))
        with pytest.raises(VigieError, match="no lasting file handles"):
            Names([str(share)])
        patch.setattr(fanotify_names, "fsid_of", lambda _: 0)
        with pytest.raises(VigieError, match="no id"):
            Names([str(share)])
    monkeypatch.setattr(mounts, "mounts_of", lambda _: [])
    with pytest.raises(VigieError, match="no mounted"):
        Names([str(share)])
    for code, words in ((errno.EINVAL, "invalid argument"), (errno.EPERM, "not permitted")):
        monkeypatch.setattr(abi, "init", refuse(code))
        with pytest.raises(VigieError, match=words):
            Names([str(share)])


def test_paths_are_found_below_the_mount_that_shows_them(
    share: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bind").mkdir()
    (tmp_path / "outside" / "own").mkdir()
    (share / "own").mkdir()
    subprocess.run(["mount", "--bind", share, tmp_path / "bind"], check=True)
    try:
        names = Names([str(tmp_path / "bind")])
        do("new('own/a'); os.remove('own/a')", share)
        do("new('../outside/own/a'); os.remove('../outside/own/a')", share)
        do("new('end'); os.remove('end')", share)
        found: list[NameEvent] = []
        while len(found) < 2 and select.select([names], [], [], 3)[0]:
            found += names.read()
        # By the name under which people see it, whichever way it was taken; and nothing of what lies beside.
        assert told(found, tmp_path) == [("removed", "bind/own/a"), ("removed", "bind/end")]
        names.close()
    finally:
        subprocess.run(["umount", tmp_path / "bind"], check=True)
    handles = FolderHandles()
    handles.mounted(1, str(tmp_path / "gone"))
    handles.mounted(1, str(tmp_path))  # unmounted meanwhile: this is another file system
    assert handles.path((1, b"")) == handles.path((2, b"")) == ELSEWHERE
    assert list(handles._points[1]) == [str(tmp_path / "gone")]
    monkeypatch.setattr(folder_handles, "_CACHE", 2)
    for number in range(5):
        handles.learn((1, b"%d" % number), "/x")
    assert len(handles._paths) == 2


def test_a_file_system_that_comes_later_is_seen_and_can_leave(share: Path) -> None:
    names = Names([str(share)])
    (share / "usb").mkdir()
    for _ in range(2):  # the second time, another one lies at the same place, with the same numbers maybe
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", share / "usb"], check=True)
        try:
            assert names.extend() == [str(share / "usb")]
            do("new('usb/a'); os.rename('usb/a', 'usb/b')", share)
            assert told(events_of(names, share), share) == [("moved", "usb/a", "usb/b")]
        finally:
            subprocess.run(["umount", share / "usb"], check=True)  # nothing of ours keeps it busy
    names.extend()
    assert str(share / "usb") not in names._mounts.problems
    names.close()
    shutil.rmtree(share / "usb")
