"""Every content judged once, against what its path was like before."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from vigie.errors import Unreadable
from vigie.model import (
    Attributes,
    Entry,
    Gone,
    Likeness,
    OpenBlob,
    Skipped,
    Snapshot,
    State,
    Verdict,
    Version,
)
from vigie.sources.restic import ResticSource
from vigie.timeline import Row, plan
from vigie.vault import Effort, History, JudgeAll, Restic, told

Files = dict[str, str]


def closed() -> OpenBlob:
    raise Unreadable("nothing is opened here")


class Backup:
    """A source in memory: for each snapshot, path to content; "?…" has no content address, "!" is damaged."""

    def __init__(self, *moments: Files) -> None:
        self._moments = {Snapshot(str(n), n): files for n, files in enumerate(moments)}

    location = "memory"
    damage: tuple[Skipped, ...] = ()

    def snapshots(self) -> tuple[Snapshot, ...]:
        return tuple(self._moments)

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        for path, content in sorted(self._moments[snapshot].items()):
            if content == "!":
                yield Skipped(path, "a part of it is missing")
            else:
                size = len(content)
                yield Version(
                    snapshot, Entry(path, size, size, closed), content.lstrip("?") * (content[0] != "?")
                )

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        was = self._moments[before] if before else {}
        for item in self.versions(after):
            if isinstance(item, Skipped) or self._moments[after][item.entry.path] != was.get(item.entry.path):
                yield item
        yield from map(Gone, sorted(was.keys() - self._moments[after].keys()))

    def head(self, version: Version) -> OpenBlob:
        return version.entry.open()

    def attributes(self, version: Version) -> Attributes:
        return Attributes(0o644, 0, 0, version.entry.mtime_ns)

    def close(self) -> None:
        """Nothing is open."""


class Counting:
    """Judges nothing encrypted but what is below /e; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int | None]] = []

    def __call__(
        self, entries: Iterable[Entry | Skipped], /, before: Callable[[str], Likeness | None] | None = None
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        assert before is not None
        for entry in entries:
            assert isinstance(entry, Entry)
            was = before(entry.path)
            self.asked.append((entry.path, was.size if was else None))
            state = State.ENCRYPTED if entry.path.endswith(".locked") else State.INTACT
            yield entry, Verdict(state, likeness=Likeness(state, None, entry.size, 0.0, b""))


def run(*moments: Files) -> list[tuple[str, int | None]]:
    backup, judge_all = Backup(*moments), Counting()
    history = History(backup, judge_all, full=True)
    for snapshot in backup.snapshots():
        for change in history.next(snapshot):
            if not isinstance(change, Gone):
                assert isinstance(change[0], Skipped) == (change[1].state is State.SKIPPED)
    return judge_all.asked


def test_unchanged_content_is_judged_once() -> None:
    assert run({"/a.txt": "x"}, {"/a.txt": "x", "/b.txt": "x"}, {"/a.txt": "x"}) == [("/a.txt", None)]


def test_the_same_bytes_under_a_name_that_promises_something_else_are_judged_again() -> None:
    assert run({"/a.txt": "x", "/b.pdf": "x", "/README": "x", "/LICENSE": "x"}) == [
        ("/LICENSE", None),
        ("/README", None),
        ("/a.txt", None),
        ("/b.pdf", None),
    ]


def test_a_change_is_judged_against_what_was_before() -> None:
    assert run({"/a": "x"}, {"/a": "yy"}, {"/a": "zzz"}) == [("/a", None), ("/a", 1), ("/a", 2)]


def test_a_longer_name_is_judged_against_its_origin() -> None:
    assert run({"/a.db": "x"}, {"/a.db.locked": "yy"}) == [("/a.db", None), ("/a.db.locked", 1)]


def test_an_encrypted_version_does_not_replace_what_is_known() -> None:
    asked = run({"/a.db": "x"}, {"/a.db.locked": "yy"}, {"/a.db.locked": "zzz"})
    assert asked[2] == ("/a.db.locked", 1)


def test_without_content_addresses_size_and_time_decide() -> None:
    assert run({"/a": "?x"}, {"/a": "?x", "/b": "?x"}, {"/a": "?xx"}) == [
        ("/a", None),
        ("/b", None),
        ("/a", 2),
    ]


def test_damage_is_passed_on() -> None:
    assert run({"/a": "!"}) == []


def test_told_and_counted() -> None:
    rows: list[Row] = []
    counts: list[tuple[int, int]] = []
    backup = Backup({"/a": "x", "/b": "y"}, {"/a": "x", "/b.locked": "z"})
    effort = Effort()
    timeline = told(
        backup,
        Counting(),
        backup.snapshots(),
        full=True,
        effort=effort,
        on_row=rows.append,
        on_judged=lambda done, total: counts.append((done, total)),
    )
    assert counts == [(1, 2), (2, 2), (1, 1)]
    assert tuple(rows) == timeline.rows
    assert [choice.path for choice in plan(timeline).choices] == ["/a", "/b"]
    assert [document.path for document in timeline.leftovers] == ["/b.locked"]
    assert dict(effort.settled) == {3: 3}
    assert effort.read == 0, "this judge opens nothing"


def test_a_judge_that_loses_a_file_is_a_bug() -> None:
    def forgetful(
        entries: Iterable[Entry | Skipped],  # noqa: ARG001 - a JudgeAll
        /,
        before: Callable[[str], Likeness | None] | None = None,  # noqa: ARG001 - same
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        return iter(())

    backup = Backup({"/a": "x"})
    with pytest.raises(ValueError, match="shorter"):
        History(backup, forgetful, full=True).next(backup.snapshots()[0])


def test_a_real_repository(restic: Restic, share: Path, judge_all: JudgeAll) -> None:
    restic.run("backup", "--", str(share))
    (share / "a.txt").rename(share / "a.txt.locked")
    (share / "a.txt.locked").write_bytes(b"E random")
    restic.run("backup", "--", str(share))
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        timeline = told(source, judge_all, source.snapshots(), full=True)
    assert [row.encrypted for row in timeline.rows] == [0, 1]
    assert timeline.vanished == {str(share / "a.txt")}
    assert len(plan(timeline).choices) == 4
