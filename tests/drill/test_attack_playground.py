import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.drill import playground
from vigie.drill.playground import (
    MARKER,
    NotAPlayground,
    Playground,
    create,
    entered,
    parent_of,
    record,
    remove,
)
from vigie.errors import ExitCode


@pytest.fixture
def ground(tmp_path: Path) -> Playground:
    made = create(tmp_path)
    (made.folder / "a").mkdir()
    (made.folder / "a/b.txt").write_text("b")
    return record(made, ["a/b.txt"])


def rewrite(ground: Playground, change: Callable[[dict[str, Any]], object]) -> None:
    marker = json.loads((ground.folder / MARKER).read_bytes())
    change(marker)
    (ground.folder / MARKER).write_text(json.dumps(marker))


def test_a_new_playground_is_its_owners_alone_and_marked(tmp_path: Path) -> None:
    made = create(tmp_path)
    assert made.folder.parent == tmp_path.resolve()
    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert (made.folder / MARKER).stat().st_mode & 0o777 == 0o600
    assert len(made.token) == 32
    assert made.token != create(tmp_path).token
    with entered(made.folder, made.token) as (_, read):
        assert read == made


def test_files_are_recorded_with_their_identity(ground: Playground) -> None:
    status = (ground.folder / "a/b.txt").stat()
    assert ground.files == {"a/b.txt": (status.st_dev, status.st_ino, status.st_mtime_ns)}
    with entered(ground.folder) as (_, read):
        assert read == ground


def test_recording_again_adds_and_takes_off(ground: Playground) -> None:
    (ground.folder / "a/b.txt").rename(ground.folder / "c")
    moved = record(ground, ["c"], ["a/b.txt", "never there"])
    assert moved.files == {"c": ground.files["a/b.txt"]}
    assert not list(ground.folder.glob(f"{MARKER}.*"))


def test_what_a_killed_run_left_is_not_written_through(ground: Playground, tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("mine")
    os.link(precious, ground.folder / f"{MARKER}.new")
    record(ground, ["a/b.txt"])
    assert precious.read_text() == "mine"
    assert not (ground.folder / f"{MARKER}.new").exists()


def test_names_that_are_not_utf8_are_kept(ground: Playground) -> None:
    name = os.fsdecode(b"\xe9t\xe9.txt")
    (ground.folder / name).write_text("x")
    kept = record(ground, [name])
    with entered(ground.folder) as (_, read):
        assert read.files == kept.files
        assert name in read.files


def a_link(folder: Path, outside: Path) -> str:
    (folder / "l").symlink_to(outside)
    return "l"


def a_hard_link(folder: Path, outside: Path) -> str:
    os.link(outside, folder / "h")
    return "h"


def below_a_linked_folder(folder: Path, outside: Path) -> str:
    (folder / "d").symlink_to(outside.parent)
    return f"d/{outside.name}"


def a_pipe(folder: Path, _: Path) -> str:
    os.mkfifo(folder / "p")
    return "p"


def a_folder(folder: Path, _: Path) -> str:
    (folder / "f").mkdir()
    return "f"


def the_marker(_folder: Path, _: Path) -> str:
    return MARKER


def climbing(folder: Path, outside: Path) -> str:
    return f"../{outside.name}" if outside.parent == folder.parent else os.path.relpath(outside, folder)


def absolute(_: Path, outside: Path) -> str:
    return str(outside)


def nothing(_folder: Path, _: Path) -> str:
    return ""


def missing(_folder: Path, _: Path) -> str:
    return "no/such"


@pytest.mark.parametrize(
    "trick",
    [
        a_link,
        a_hard_link,
        below_a_linked_folder,
        a_pipe,
        a_folder,
        the_marker,
        climbing,
        absolute,
        nothing,
        missing,
    ],
)
def test_what_the_run_did_not_make_is_not_recorded(
    trick: Callable[[Path, Path], str], ground: Playground, tmp_path: Path
) -> None:
    outside = tmp_path / "thesis.txt"
    outside.write_text("mine")
    path = trick(ground.folder, outside)
    with pytest.raises(NotAPlayground):
        record(ground, [path])
    with entered(ground.folder) as (_, read):
        assert read.files == ground.files


def test_a_refusal_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(NotAPlayground) as caught, entered(tmp_path):
        pass
    assert caught.value.exit_code == ExitCode.FAILED
    assert caught.value.subject == str(tmp_path)
    assert "no marker" in caught.value.problem
    assert caught.value.remedy


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("missing", "file"):
        with pytest.raises(NotAPlayground, match="not a folder"), entered(tmp_path / name):
            pass


@pytest.mark.parametrize("ending", ["", "/", "/."])
def test_a_linked_folder_is_refused(
    ending: str, ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(ground.folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAPlayground, match="not a folder"), entered(Path(f"link{ending}"), ground.token):
        pass
    # pathlib drops the slash; a bare string keeps it.
    with pytest.raises(NotAPlayground), entered(f"{tmp_path}/link{ending}", ground.token):  # type: ignore[arg-type]  # on purpose
        pass


def test_a_copied_marker_is_refused(ground: Playground, tmp_path: Path) -> None:
    other = tmp_path / "home"
    other.mkdir()
    (other / MARKER).write_bytes((ground.folder / MARKER).read_bytes())
    (other / MARKER).chmod(0o600)
    with pytest.raises(NotAPlayground, match="another folder"), entered(other, ground.token):
        pass


def test_another_token_is_refused(ground: Playground) -> None:
    for token in ("", ground.token[:-1], "é" * 32):
        with pytest.raises(NotAPlayground, match="another token"), entered(ground.folder, token):
            pass


def test_a_marker_of_another_user_is_refused(ground: Playground) -> None:
    rewrite(ground, lambda marker: marker.update(uid=marker["uid"] + 1))
    with pytest.raises(NotAPlayground, match="marked by somebody else"), entered(ground.folder):
        pass


def test_a_folder_of_another_user_is_refused(ground: Playground, as_root: None) -> None:
    del as_root
    os.chown(ground.folder, 65534, 65534)
    with pytest.raises(NotAPlayground, match="belongs to somebody else"), entered(ground.folder):
        pass


def linked(marker: Path) -> None:
    marker.rename(marker.with_name("real"))
    marker.symlink_to("real")


def twice_named(marker: Path) -> None:
    os.link(marker, marker.with_name("twin"))


def writable_by_all(marker: Path) -> None:
    marker.chmod(0o666)


def piped(marker: Path) -> None:
    marker.unlink()
    os.mkfifo(marker)


def endless(marker: Path) -> None:
    os.truncate(marker, playground._LARGEST + 1)


def nested(marker: Path) -> None:
    marker.write_text("[" * 200_000)


@pytest.mark.parametrize("spoil", [linked, twice_named, writable_by_all, piped, endless, nested])
def test_a_marker_the_drill_did_not_write_is_refused(
    spoil: Callable[[Path], None], ground: Playground
) -> None:
    spoil(ground.folder / MARKER)
    with pytest.raises(NotAPlayground), entered(ground.folder, ground.token):
        pass


@pytest.mark.parametrize(
    "change",
    [
        {"vigie-drill": 2},
        {"token": "short"},
        {"token": 7},
        {"uid": "0"},
        {"created_ns": None},
        {"itself": [1]},
        {"itself": [1, 2.5]},
        {"files": {"a": ["1", "2"]}},
        {"files": [1]},
    ],
    ids=str,
)
def test_a_marker_with_another_content_is_refused(change: dict[str, Any], ground: Playground) -> None:
    rewrite(ground, lambda marker: marker.update(change))
    with pytest.raises(NotAPlayground), entered(ground.folder):
        pass


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["vigie-drill", "token", "uid", "created_ns", "itself", "files"]), inner
                )
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_marker_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / MARKER).write_bytes(raw)
    (folder / MARKER).chmod(0o600)
    with pytest.raises(NotAPlayground), entered(folder):
        pass


def test_removing_takes_the_folder_and_nothing_a_link_leads_to(ground: Playground, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("mine")
    (ground.folder / "way out").symlink_to(tmp_path / "home")
    remove(ground)
    assert not ground.folder.exists()
    assert (tmp_path / "home/thesis.txt").read_text() == "mine"


def test_a_folder_without_its_marker_is_not_removed(ground: Playground) -> None:
    (ground.folder / MARKER).unlink()
    with pytest.raises(NotAPlayground):
        remove(ground)
    assert (ground.folder / "a/b.txt").exists()


def test_parents_are_given_back(ground: Playground) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with entered(ground.folder) as (root, _):
        with parent_of(root, "a/b.txt") as (parent, name):
            assert name == "b.txt"
            assert os.listdir(parent) == ["b.txt"]
        with pytest.raises(FileNotFoundError), parent_of(root, "a/no/such"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
