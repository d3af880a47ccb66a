import multiprocessing
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from vigie.errors import DiskFull, JournalBroken, NotPermitted, StateInUse
from vigie.journal import Journal
from vigie.journal.chain import START


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "state")
    for number in range(5):
        journal.append("verdict", {"path": f"f{number}", "é": number}, durable=number % 2 == 0)
    return journal


def tampered(journal: Journal, *statements: str) -> None:
    db = sqlite3.connect(journal.path)
    db.executescript("DROP TRIGGER journal_no_update; DROP TRIGGER journal_no_delete;" + ";".join(statements))
    db.commit()
    db.close()


def test_an_empty_journal_is_sound(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert journal.verify() == (0, START)
        assert journal.verify(START) == (0, START)


def test_rows_come_back_in_order_and_by_kind(journal: Journal) -> None:
    journal.append("incident", {"id": 1})
    assert [row.id for row in journal.rows()] == [1, 2, 3, 4, 5, 6]
    assert [row.body for row in journal.rows("incident")] == [{"id": 1}]
    assert [row.id for row in journal.rows(after=4)] == [5, 6]
    journal.close()


def test_a_sound_chain_verifies_and_goes_on_after_reopening(journal: Journal) -> None:
    count, noted = journal.verify()
    assert count == 5
    journal.close()
    with Journal(journal.path.parent) as again:
        again.append("more", {})
        assert again.verify(noted)[0] == 6
        with pytest.raises(JournalBroken, match="not in the chain"):
            again.verify("f" * 64)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE journal SET body = '{}' WHERE id = 3", "row 3 was changed"),
        ("UPDATE journal SET time = time + 1 WHERE id = 1", "row 1 was changed"),
        ("UPDATE journal SET kind = 'x' WHERE id = 5", "row 5 was changed"),
        ("DELETE FROM journal WHERE id = 2", "row 2 is missing"),
        ("DELETE FROM journal WHERE id = 5", "rows are missing after row 4"),
        ("DELETE FROM journal", "rows are missing after row 0"),
        ("DELETE FROM journal WHERE id = 1; UPDATE journal SET id = id - 1", "row 1 was changed"),
        (
            "INSERT INTO journal SELECT 6, time, kind, body, hash FROM journal WHERE id = 5",
            "row 6 was changed",
        ),
        ("UPDATE journal SET id = id + 10 WHERE id > 2", "row 3 is missing"),
    ],
)
def test_what_was_changed_removed_or_inserted_is_found(journal: Journal, statement: str, said: str) -> None:
    tampered(journal, statement)
    with pytest.raises(JournalBroken, match=said):
        journal.verify()
    journal.close()


def test_sqlite_itself_refuses_to_change_a_row(journal: Journal) -> None:
    db = sqlite3.connect(journal.path)
    for statement in ("UPDATE journal SET kind = 'x'", "DELETE FROM journal"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.close()
    journal.close()


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalBroken, match="not a database"):
        Journal(tmp_path)


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotPermitted) as caught:
        Journal(tmp_path / "file")
    assert "--state" in caught.value.remedy


def test_a_full_disk_is_said_and_the_journal_stays_sound(journal: Journal) -> None:
    journal._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(DiskFull):
        journal.append("big", {"text": "x" * 100_000})
    journal._db.execute("PRAGMA max_page_count = 1000000")
    journal.append("after", {})
    journal.verify()
    journal.close()


def test_a_row_that_is_not_json_is_a_broken_journal(journal: Journal) -> None:
    tampered(journal, "UPDATE journal SET body = '{' WHERE id = 2")
    with pytest.raises(JournalBroken):
        list(journal.rows())
    journal.close()


def test_a_clock_that_jumps_back_does_not_disturb(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    journal.append("early", {})
    assert journal.verify()[0] == 6
    journal.close()


def _write(state: str, count: int) -> None:
    with Journal(Path(state)) as journal:
        for number in range(count):
            journal.append("n", {"n": number}, durable=False)


def test_two_writers_at_once_keep_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path), 100)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    with Journal(tmp_path) as journal:
        assert journal.verify()[0] == 200


def test_a_journal_killed_half_way_is_sound(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=_write, args=(str(tmp_path), 1_000_000))
    writer.start()
    while not (tmp_path / "journal.sqlite").exists() or _count(tmp_path) < 50:
        time.sleep(0.01)
    writer.kill()
    writer.join()
    with Journal(tmp_path) as journal:
        assert journal.verify()[0] >= 50


def _count(state: Path) -> int:
    with Journal(state) as journal:
        return sum(1 for _ in journal.rows())


def test_a_chain_that_grows_while_it_is_verified_is_sound(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=_write, args=(str(tmp_path), 1_000_000))
    writer.start()
    try:
        while not (tmp_path / "journal.sqlite").exists() or _count(tmp_path) < 5:
            time.sleep(0.01)
        with Journal(tmp_path) as journal:
            counts = [journal.verify()[0] for _ in range(30)]
    finally:
        writer.kill()
        writer.join()
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("lock", ["SHARED", "IMMEDIATE", "EXCLUSIVE"])
def test_a_new_journal_that_another_is_just_making_is_waited_for(tmp_path: Path, lock: str) -> None:
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None, check_same_thread=False)
    other.executescript("CREATE TABLE made (x); INSERT INTO made VALUES (1)")
    if lock == "SHARED":
        other.execute("BEGIN")
        other.execute("SELECT * FROM made").fetchall()
    else:
        other.execute(f"BEGIN {lock}")
    release = threading.Timer(0.3, other.close)
    release.start()
    with Journal(tmp_path) as journal:
        assert journal.append("x", {}).id == 1
    release.join()


def test_opening_it_twice_in_one_process_keeps_its_locks(journal: Journal) -> None:
    journal._db.execute("BEGIN IMMEDIATE")
    Journal(journal.path.parent).close()
    other = sqlite3.connect(journal.path, timeout=0.1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    journal._db.execute("ROLLBACK")
    journal.close()


def test_a_journal_that_stays_locked_is_no_broken_one(journal: Journal) -> None:
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal._db.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(StateInUse):
        journal.append("x", {})
    other.close()
    journal.append("x", {})
    journal.close()
