import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vigie.journal.judged import Judged
from vigie.model import Skipped, State, Verdict
from vigie.ui.cli.check import KINDS, _Tally


def vigie(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the real command, as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "vigie", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own for every test."""
    place = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("VIGIE_STATE", str(place))
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "practice"
    place.mkdir()
    (place / "note.txt").write_text("Tout va bien, rien à signaler.\n" * 50)
    (place / "lettre.txt.locked").write_bytes(random.Random(1).randbytes(5000))
    (place / "truncated.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
    return place


def test_help_is_instant_and_names_every_command() -> None:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        done = vigie("--help")
        times.append(time.perf_counter() - begun)
    assert done.returncode == 0
    for name in (
        "check",
        "guard",
        "vault",
        "recover",
        "timeline",
        "incidents",
        "release",
        "journal",
        "drill",
    ):
        assert f"  {name} " in done.stdout
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-X", "importtime", "-m", "vigie", "--help"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, env=plain)
    for heavy in ("numba", "numpy", "rich", "pydantic", "cryptography", "watchfiles", "multiprocessing"):
        assert f" {heavy}\n" not in listed.stderr, f"vigie --help imports {heavy}"


def test_json_lines_with_the_promised_keys(folder: Path) -> None:
    done = vigie("check", "--json", str(folder))
    assert done.returncode == 1
    *rows, last = lines(done)
    assert set(last) == {"summary"}
    assert last["summary"]["files"] == 3
    assert last["summary"]["encrypted"] == 1
    by_name = {os.path.basename(row["path"]): row for row in rows}
    for row in rows:
        assert list(row) == [
            "path", "size", "verdict", "format", "pattern", "period", "ranges", "basis", "confidence",
            "evidence", "read",
        ]  # fmt: skip
    hit = by_name["lettre.txt.locked"]
    assert (hit["verdict"], hit["format"], hit["pattern"]) == ("encrypted", "text", "full")
    assert hit["ranges"] == [[0, 5000]]
    assert by_name["note.txt"]["verdict"] == "intact"
    assert by_name["truncated.png"]["verdict"] == "damaged"


def test_people_get_what_matters_and_a_table(folder: Path) -> None:
    done = vigie("check", str(folder))
    assert done.returncode == 1
    assert "encrypted  " in done.stdout
    assert "lettre.txt.locked" in done.stdout
    assert "random" in done.stdout
    assert "note.txt" not in done.stdout
    assert "3 files" in done.stdout
    assert "note.txt" in vigie("check", "--all", str(folder)).stdout
    one = vigie("check", str(folder / "note.txt"))
    assert one.returncode == 0
    assert "intact" in one.stdout


def test_excluded_files_are_left_out(folder: Path) -> None:
    done = vigie("check", "--json", "--exclude", "*.locked", "--exclude", "*.png", str(folder))
    assert done.returncode == 0
    assert lines(done)[-1]["summary"]["files"] == 1


def test_no_such_path_is_said_before_anything_is_judged(folder: Path) -> None:
    done = vigie("check", str(folder), str(folder / "nowhere"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "nowhere: no such file or folder" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_socket_is_skipped_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "door"))
        done = vigie("check", "--json", str(tmp_path))
    assert done.returncode == 3
    skipped = [row for row in lines(done)[:-1] if row["verdict"] == "skipped"]
    assert [row["evidence"] for row in skipped] == [["a socket"]]
    assert skipped[0]["size"] is None


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(path, "wb") as file:
        file.write(b"text\n")
    done = vigie("check", "--json", str(tmp_path))
    assert done.returncode == 0
    assert os.fsencode(lines(done)[0]["path"]) == path
    shown = vigie("check", "--all", str(tmp_path))
    assert shown.returncode == 0
    assert "caf\\xe9.txt" in shown.stdout


def test_a_name_with_escape_sequences_cannot_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m\n.txt").write_text("text\n")
    assert "\x1b" not in vigie("check", "--all", str(tmp_path)).stdout


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_what_may_not_be_read_is_skipped_and_said(folder: Path) -> None:
    (folder / "closed").mkdir()
    for name in ("note.txt", "closed"):
        os.chown(folder / name, 65534, 65534)
        (folder / name).chmod(0o700)
    powers = "-dac_override,-dac_read_search"  # what lets root read everything
    command = ["setpriv", f"--inh-caps={powers}", f"--bounding-set={powers}", sys.executable, "-m", "vigie"]
    done = subprocess.run(
        [*command, "check", "--json", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    skipped = {
        os.path.basename(r["path"]): r["evidence"] for r in lines(done)[:-1] if r["verdict"] == "skipped"
    }
    assert skipped == {"note.txt": ["no permission"], "closed": ["no permission"]}, done.stderr
    assert done.returncode == 1  # the encrypted one is found all the same


def test_a_typo_in_the_settings_names_its_line(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "vigie.toml").write_text("[check]\nworker = 2\n")
    done = vigie("check", "--settings", str(tmp_path / "vigie.toml"), str(folder))
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert 'Did you mean "workers"?' in done.stderr


def test_words_that_make_no_sense_exit_2() -> None:
    assert vigie("check").returncode == 2
    assert vigie("chekc").returncode == 2
    assert vigie("check", "--nonsense", ".").returncode == 2


def test_a_reader_that_goes_away_is_no_crash(folder: Path) -> None:
    command = f"{sys.executable} -m vigie check --json --exclude none {folder} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr


def test_two_checks_at_once(folder: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "vigie", "check", "--json", str(folder)], stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0].splitlines()[:-1] for process in both]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 3


def test_a_snapshot_of_a_backup_is_judged_where_it_lies(
    folder: Path, tmp_path: Path, quick_key: Callable[[Path, str], None]
) -> None:
    repository = str(tmp_path / "repository")
    env = {**os.environ, "RESTIC_PASSWORD": "secret", "RESTIC_REPOSITORY": repository}
    subprocess.run(["restic", "init"], env=env, check=True, capture_output=True)
    quick_key(Path(repository), "secret")
    subprocess.run(["restic", "--no-cache", "backup", str(folder)], env=env, check=True, capture_output=True)
    (folder / "note.txt").write_text("changed since\n")
    subprocess.run(["restic", "--no-cache", "backup", str(folder)], env=env, check=True, capture_output=True)
    done = vigie("check", "--json", f"restic:{repository}", env=env)
    assert done.returncode == 1
    assert {os.path.basename(r["path"]): r["verdict"] for r in lines(done)[:-1]} == {
        "lettre.txt.locked": "encrypted",
        "note.txt": "intact",
        "truncated.png": "damaged",
    }
    listed = vigie("vault", "list", "--json", "--state", str(tmp_path / "state"), env=env)
    first = lines(listed)[0]["snapshot"]
    older = vigie("check", "--json", "--exclude", "*.png", f"restic:{repository}@{first[:10]}", env=env)
    sizes = {os.path.basename(row["path"]): row["size"] for row in lines(older)[:-1]}
    assert sizes == {"lettre.txt.locked": 5000, "note.txt": 1600}
    for target, said in (
        (f"restic:{repository}@ffffff", "there is no such snapshot"),
        (f"restic:{repository}@", "latest"),
        (f"restic:{tmp_path}/nowhere", "nowhere"),
    ):
        wrong = vigie("check", target, env=env)
        assert wrong.returncode == (1 if said == "latest" else 2)
        assert said == "latest" or said in wrong.stderr
    refused = vigie("check", f"restic:{repository}", env={**env, "RESTIC_PASSWORD": "other"})
    assert refused.returncode == 2
    assert "password" in refused.stderr


def test_a_name_with_a_line_end_cannot_pass_for_a_line_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a\nencrypted  b.txt").write_text("text\n")
    done = vigie("check", "--all", str(tmp_path))
    assert "a\\nencrypted  b.txt" in done.stdout
    assert not any(line.startswith("encrypted") for line in done.stdout.splitlines())


def test_one_file_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text\n")
    assert vigie("check", str(tmp_path)).stdout.startswith("1 file, 5 bytes, ")


@pytest.mark.parametrize("options", [["--json"], ["--all"]])
def test_a_reader_that_goes_away_is_no_finding(tmp_path: Path, options: list[str]) -> None:
    for number in range(3000):
        (tmp_path / f"{number}.txt").write_text("text\n")
    command = [sys.executable, "-m", "vigie", "check", *options, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(30) == 3
        assert child.stderr
        assert child.stderr.read() == ""


@pytest.mark.parametrize("options", [["--json"], []])
def test_output_that_cannot_be_written(folder: Path, options: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vigie", "check", *options, str(folder)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "vigie: there is no room left where the output or a temporary file goes\n"


def test_closed_streams(folder: Path) -> None:
    shell = ["sh", "-c", '"$0" -m vigie check --json "$1" >&- 2>&- <&-', sys.executable, str(folder)]
    assert subprocess.run(shell, check=False, timeout=60).returncode == 1


def test_a_terminal_that_is_not_utf8(folder: Path) -> None:
    done = vigie("check", str(folder), env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (1, "")
    assert "\\xb7" in done.stdout


def test_what_goes_to_a_file_does_not_land_on_the_terminal(folder: Path, tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    try:
        with open(tmp_path / "out", "w", encoding="utf-8") as out:
            done = subprocess.run(
                [sys.executable, "-m", "vigie", "check", str(folder)], stdout=out, stderr=theirs, check=False
            )
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 1
    assert "lettre.txt.locked" in (tmp_path / "out").read_text()


# What was judged is remembered.


def settled(folder: Path) -> None:
    """Wait until a change of these files would show in their ctime: only then are they remembered."""
    newest = max(path.stat().st_ctime for path in folder.rglob("*"))
    time.sleep(max(0.0, newest + 2.05 - time.time()))


def by_name(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {os.path.basename(row["path"]): row for row in lines(done)[:-1]}


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = lines(done)[-1]["summary"]
    assert isinstance(found, dict)
    return found


def test_what_is_unchanged_is_not_opened_again(folder: Path, state: Path) -> None:
    settled(folder)
    first = vigie("check", "--json", str(folder))
    second = vigie("check", "--json", str(folder))
    assert (first.returncode, second.returncode) == (1, 1)
    before, after = by_name(first), by_name(second)
    for name, row in after.items():
        *evidence, unchanged = row["evidence"]
        assert unchanged.startswith("unchanged since it was judged on 20")
        assert row | {"evidence": evidence} == before[name]
    last = summary(second)
    assert (last["unchanged"], last["read"], last["memory"]) == (3, 0, None)
    assert last["isolation"] is None  # nothing had to be judged
    assert summary(first)["isolation"]["memory"] is True
    people = vigie("check", str(folder))
    assert people.returncode == 1
    assert "lettre.txt.locked" in people.stdout
    assert "0 bytes read, 3 unchanged, " in people.stdout
    assert (state / "judged.sqlite").exists()


def test_what_changed_moved_or_appeared_is_judged(folder: Path) -> None:
    (folder / "below").mkdir()
    for name in ("a", "b", "c", "d"):
        (folder / "below" / f"{name}.txt").write_text("text\n")
    settled(folder)
    vigie("check", str(folder))
    times = os.stat(folder / "below/a.txt")
    (folder / "below/a.txt").write_bytes(os.urandom(5))  # the same size
    os.utime(folder / "below/a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))  # and the same mtime
    (folder / "below/b.txt").rename(folder / "below/e.txt")
    (folder / "new.txt").write_text("new\n")
    (folder / "note.txt").unlink()
    rows = by_name(vigie("check", "--json", str(folder)))
    unchanged = {name for name, row in rows.items() if "unchanged since" in row["evidence"][-1]}
    assert unchanged == {"c.txt", "d.txt", "lettre.txt.locked", "truncated.png"}
    assert set(rows) - unchanged == {"a.txt", "e.txt", "new.txt"}


def test_what_is_gone_is_forgotten(folder: Path, state: Path) -> None:
    for name in ("below", "gone/deep"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.txt").write_text("text\n")
        (folder / name / "b.txt").write_text("text\n")
    settled(folder)
    vigie("check", str(folder))
    with Judged(state) as store:
        assert len(store) == 7
    for path in ("note.txt", "below/a.txt", "below/b.txt", "gone/deep/a.txt", "gone/deep/b.txt"):
        (folder / path).unlink()
    (folder / "gone/deep").rmdir()
    (folder / "gone").rmdir()
    vigie("check", str(folder))
    with Judged(state) as store:
        assert len(store) == 2
        assert list(store.folders_below(str(folder / "gone"))) == []


@pytest.mark.parametrize("option", ["--again", "--full"])
def test_again_and_full_judge_afresh(folder: Path, option: str) -> None:
    settled(folder)
    vigie("check", str(folder))
    assert summary(vigie("check", "--json", option, str(folder)))["unchanged"] == 0


def test_a_relative_path_means_the_same_folder(folder: Path) -> None:
    settled(folder)
    vigie("check", str(folder))
    for name, place in ((".", folder), ("../practice//", folder)):
        assert summary(vigie("check", "--json", name, cwd=place))["unchanged"] == 3, name


def test_what_was_written_just_now_is_not_remembered(folder: Path, state: Path) -> None:
    vigie("check", str(folder))
    with Judged(state) as store:
        assert len(store) == 0


def damage(state: Path) -> None:
    (state / "judged.sqlite").write_bytes(b"no database" * 1000)


def occupy(state: Path) -> None:
    (state / "judged.sqlite").mkdir()


@pytest.mark.parametrize("harm", [damage, occupy])
def test_without_its_memory_a_check_goes_on(folder: Path, state: Path, harm: Callable[[Path], None]) -> None:
    harm(state)
    done = vigie("check", str(folder))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("Went on without memory of earlier checks: ") == 1
    assert "lettre.txt.locked" in done.stdout


def test_a_memory_that_makes_no_sense_is_not_believed(folder: Path, state: Path) -> None:
    settled(folder)
    assert vigie("check", str(folder)).returncode == 1
    with Judged(state) as store:
        store._db.execute("UPDATE judged SET said = '[]'")
    done = vigie("check", "--json", str(folder))
    assert done.returncode == 1
    assert {name: row["verdict"] for name, row in by_name(done).items()} == {
        "lettre.txt.locked": "encrypted",
        "note.txt": "intact",
        "truncated.png": "damaged",
    }
    assert "makes no sense" in summary(done)["memory"]


def test_another_run_that_is_writing_is_not_waited_for_long(folder: Path, state: Path) -> None:
    settled(folder)
    with Judged(state) as store:
        store._db.execute("BEGIN IMMEDIATE")
        done = vigie("check", str(folder))
    assert done.returncode == 1
    assert "another process is busy with it" in done.stdout


def test_a_state_folder_that_cannot_be_is_said_once(folder: Path) -> None:
    done = vigie("check", "--state", "/dev/null/state", str(folder))
    assert done.returncode == 1
    assert done.stdout.count("Went on without memory") == 1


def test_a_single_file_is_judged_each_time(folder: Path, state: Path) -> None:
    for _ in range(2):
        assert "unchanged" not in vigie("check", str(folder / "note.txt")).stdout
    assert not (state / "judged.sqlite").exists()


def test_an_unchanged_folder_is_checked_without_loading_the_judge(folder: Path) -> None:
    settled(folder)
    vigie("check", str(folder))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-X", "importtime", "-m", "vigie", "check", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    assert "3 unchanged" in done.stdout
    for heavy in ("numba", "numpy", "cryptography"):
        assert f" {heavy}\n" not in done.stderr, f"an unchanged folder imports {heavy}"


def test_endings_without_number_are_counted_together() -> None:
    tally = _Tally()
    for number in range(KINDS + 20):
        tally.add(Skipped(f"a.{number:04}", ""), Verdict(State.UNKNOWN))
    assert len(tally.formats) == KINDS + 1
    assert tally.formats["(other kinds)", "unknown"] == 20
    assert tally.states()["unknown"] == KINDS + 20
