"""What to look at before anyone forgets a snapshot."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vigie.errors import Unreadable
from vigie.model import Entry, Gone, OpenBlob, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline import Caution, Change, Oddity, Policy, Story, Timeline, cautions, clean_in
from vigie.timeline.retention import HOUR

DAY = 24 * HOUR
NOW = 1000 * DAY
Told = Callable[..., Timeline]


def closed() -> OpenBlob:
    raise Unreadable("nothing in this room opens a file")


def at(number: int, time_ns: int, paths: tuple[str, ...] = ("/d",)) -> Snapshot:
    return Snapshot(f"{number:08d}", time_ns, paths=paths)


def story(*times: int, files: int = 10, paths: Sequence[tuple[str, ...]] = ()) -> Timeline:
    """Snapshots at these times; the first of each series holds `files` files, the others change nothing."""
    told, held = Story(), set[tuple[str, ...]]()
    for number, time_ns in enumerate(times):
        snapshot = at(number, time_ns, paths[number] if paths else ("/d",))
        first = snapshot.paths not in held
        held.add(snapshot.paths)
        told.add(snapshot, [file(snapshot, f"{snapshot.paths[0]}/{n}") for n in range(files * first)])
    return told.end()


def file(snapshot: Snapshot, path: str, mtime_ns: int = 1, content: str = "i") -> Change:
    state = State.ENCRYPTED if content.startswith("e") else State.INTACT
    return Version(snapshot, Entry(path, 10, mtime_ns, closed), content), Verdict(state)


def ids(caution: Caution) -> list[int]:
    return [int(snapshot.id) for snapshot in caution.snapshots]


def found(timeline: Timeline, oddity: Oddity, policy: Policy | None = None) -> list[list[int]]:
    return [ids(c) for c in cautions(timeline, NOW, policy) if c.oddity is oddity]


def test_nothing_is_odd() -> None:
    assert cautions(story(*(n * DAY for n in range(30))), NOW, Policy(last=1)) == ()
    assert cautions(Story().end(), NOW, Policy(last=1)) == ()


@pytest.mark.parametrize(("late", "odd"), [(HOUR, []), (HOUR + 1, [[1]])])
def test_a_snapshot_dated_later_than_now(late: int, odd: list[list[int]]) -> None:
    assert found(story(DAY, NOW + late), Oddity.FUTURE) == odd


@pytest.mark.parametrize(
    ("later", "files", "odd"),
    [(2, 2, []), (3, 3, [[0]]), (3, 40, []), (4, 40, [[0]])],
    ids=["too few", "all of them", "less than a tenth", "a tenth"],
)
def test_a_snapshot_dated_before_its_files(later: int, files: int, odd: list[list[int]]) -> None:
    told, snapshot = Story(), at(0, DAY)
    changes = [file(snapshot, f"/d/{n}", DAY + HOUR + (n < later)) for n in range(files)]
    told.add(snapshot, [*changes, (Skipped("/d/x", "gone"), Verdict.skipped("gone"))])
    assert found(told.end(), Oddity.BEFORE_ITS_FILES) == odd


def burst(count: int, span: int, gap: int = DAY) -> list[int]:
    return [n * gap for n in range(1, 10)] + [9 * gap + DAY + n * span // (count - 1) for n in range(count)]


@pytest.mark.parametrize(
    ("times", "odd"),
    [
        (burst(6, HOUR), [list(range(9, 15))]),
        (burst(5, HOUR), []),
        (burst(6, HOUR + 5), []),
        (burst(12, HOUR // 2, gap=3 * HOUR), []),
        ([n * 60 * 10**9 for n in range(6)], []),
    ],
    ids=["six within an hour", "five", "longer than an hour", "usually often", "nothing else to compare"],
)
def test_a_burst(times: list[int], odd: list[list[int]]) -> None:
    assert found(story(*times), Oddity.BURST) == odd


def test_a_burst_is_one_of_the_same_folders() -> None:
    times = burst(6, HOUR)
    paths = [("/d",)] * 9 + [(f"/d/{n}",) for n in range(6)]
    assert found(story(*times, paths=paths), Oddity.BURST) == []


@pytest.mark.parametrize(("left", "odd"), [(4, [[3]]), (5, [])])
def test_a_tiny_snapshot(left: int, odd: list[list[int]]) -> None:
    told = Story()
    for number in range(4):
        snapshot = at(number, number * DAY)
        changes: list[Change] = [file(snapshot, f"/d/{n}") for n in range(10)] if number == 0 else []
        told.add(snapshot, [Gone(f"/d/{n}") for n in range(10 - left)] if number == 3 else changes)
    timeline = told.end()
    assert found(timeline, Oddity.TINY) == odd
    assert [c.files for c in cautions(timeline, NOW)] == [left] * len(odd)


def test_a_small_beginning_is_not_tiny() -> None:
    assert found(story(DAY, 2 * DAY, files=1), Oddity.TINY) == []


def struck(days: int, day: int) -> Timeline:
    """A snapshot a day of three files; from `day` on they are encrypted."""
    told = Story()
    for number in range(days):
        snapshot = at(number, number * DAY)
        content = {0: "i", day: "e"}.get(number)
        told.add(snapshot, [file(snapshot, f"/d/{n}", 1, f"{content}{n}") for n in range(3) if content])
    return told.end()


@pytest.mark.parametrize(
    ("policy", "odd"),
    [
        (Policy(last=5), [[4]]),
        (Policy(last=6), []),
        (Policy(daily=5), [[4]]),
        (Policy(daily=6), []),
        (Policy(hourly=1, weekly=2), []),
        (None, []),
    ],
)
def test_a_policy_that_drops_the_last_clean_ones(policy: Policy | None, odd: list[list[int]]) -> None:
    timeline = struck(10, 5)
    assert found(timeline, Oddity.NEEDED, policy) == odd
    assert [c.files for c in cautions(timeline, NOW, policy)] == [3] * len(odd)


def test_what_was_never_clean_needs_nothing() -> None:
    assert found(struck(10, 0), Oddity.NEEDED, Policy(last=1)) == []


def test_policies_apply_to_each_series_of_paths() -> None:
    told = Story()
    for number, paths in enumerate([("/d",), ("/e",), ("/d",), ("/e",)]):
        snapshot = at(number, number * DAY, paths)
        told.add(snapshot, [file(snapshot, f"{paths[0]}/a", 1, f"{'iiie'[number]}{number}")])
    # With one kept of each, that of /e is the encrypted one; the clean one before it would go.
    assert found(told.end(), Oddity.NEEDED, Policy(last=1)) == [[1]]


@pytest.mark.parametrize(
    ("contents", "holding"),
    [
        (["i1", "i1", "i1"], [2, 1, 0]),
        (["i1", "i2", "e1"], [1]),
        (["i1", "e1", "e1"], [0]),
        (["i1", "i1", None], [1, 0]),
        (["i1", None, "i1"], [2]),
        (["i1", "e1", "i1"], [2]),
        (["e1", "e1"], []),
        (["i1", "s", "i1"], [2]),
        (["u1", "u1"], []),
    ],
)
def test_snapshots_that_hold_the_last_clean_content(
    told: Told, contents: list[str | None], holding: list[int]
) -> None:
    timeline = told(*({"/a": content} if content else {} for content in contents))
    assert list(clean_in(timeline, timeline.documents[0])) == holding


_DICE = random.Random("forty snapshots")
_NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
_AGES = [60 ** _DICE.uniform(0, 3.5) for _ in range(38)]
# The oldest is alone in its year: by its manual, restic 0.17 keeps the oldest also where a rule has not kept
# enough, and 0.14 does not.
TIMES = sorted(_NEWEST - timedelta(minutes=int(age)) for age in (*_AGES, 1_900_000, 3_800_000))


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Path:
    """A repository of some forty snapshots: some minutes apart, some days, some years."""
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    top = tmp_path_factory.mktemp("forty")
    (top / "share").mkdir()
    (top / "share" / "a.txt").write_text("a letter")
    restic(top / "repository", "init")
    quick_key(top / "repository", "pw")

    def keep(when: datetime) -> None:
        restic(top / "repository", "backup", f"--time={when:%Y-%m-%d %H:%M:%S}", str(top / "share"))

    keep(TIMES[0])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(keep, TIMES[1:]))
    return top / "repository"


def restic(repository: Path, *arguments: str) -> str:
    environment = {"RESTIC_PASSWORD": "pw", "RESTIC_CACHE_DIR": str(repository.parent / "cache"), "TZ": "UTC"}
    command = ["restic", "-r", str(repository), *arguments]
    return subprocess.run(
        command, env=os.environ | environment, check=True, capture_output=True, text=True
    ).stdout


POLICIES = [
    Policy(last=1),
    Policy(last=7),
    Policy(last=100),
    Policy(hourly=5),
    Policy(daily=7),
    Policy(daily=100),
    Policy(weekly=3),
    Policy(weekly=100),
    Policy(monthly=4),
    Policy(yearly=2),
    Policy(yearly=100),
    Policy(hourly=24, daily=7, weekly=5, monthly=12, yearly=10),
    Policy(last=2, daily=3, monthly=2),
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_what_restic_would_keep(forty: Path, policy: Policy) -> None:
    options = [
        f"--keep-{name}={count}"
        for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")
        if (count := getattr(policy, name))
    ]
    [group] = json.loads(restic(forty, "forget", "--dry-run", "--json", "--no-lock", *options))
    every = (*group["keep"], *(group["remove"] or ()))
    assert len(every) == len(TIMES)
    snapshots = [
        Snapshot(one["id"], round(datetime.fromisoformat(one["time"]).timestamp() * 1e9)) for one in every
    ]
    assert policy.kept(snapshots) == {one["id"] for one in group["keep"]}
