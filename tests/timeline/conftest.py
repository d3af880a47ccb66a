"""Backups told in a few words: each snapshot a dictionary of path to what its content is."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from vigie.errors import Unreadable
from vigie.model import Entry, Gone, Likeness, OpenBlob, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline import Change, Story, Timeline
from vigie.timeline.coverage import below

Told = Callable[..., Timeline]


def closed() -> OpenBlob:
    raise Unreadable("nothing in these rooms opens a file")


def snapshot(number: int, paths: Sequence[str] = ("/",), time_ns: int | None = None) -> Snapshot:
    when = number if time_ns is None else time_ns
    return Snapshot(id=f"{number:08d}snapshot", time_ns=when, host="host", paths=tuple(paths))


def verdict(state: State, *, random: bool = False) -> Verdict:
    likeness = Likeness(state, None, 10, 1.0 if random else 0.0, b"")
    return Verdict(state, evidence=(f"it is {state.value}",), likeness=likeness)


def seen(at: Snapshot, path: str, content: str) -> tuple[Version | Skipped, Verdict]:
    """`content` begins with i(ntact), e(ncrypted), d(amaged), u(nknown), r(andom, unknown) or s(kipped)."""
    if content.startswith("s"):
        return Skipped(path, "no permission"), Verdict.skipped("no permission")
    states = {"i": State.INTACT, "e": State.ENCRYPTED, "d": State.DAMAGED, "u": State.UNKNOWN}
    state = states.get(content[0], State.UNKNOWN)
    random = content[0] in "re"
    return Version(at, Entry(path, 10, 1, closed), content), verdict(state, random=random)


def tell(*moments: Mapping[str, str], paths: Sequence[Sequence[str]] = ()) -> Timeline:
    story = Story()
    before: dict[tuple[str, ...], Mapping[str, str]] = {}
    for number, files in enumerate(moments):
        at = snapshot(number, paths[number] if paths else ("/",))
        was = before.get(at.paths, {})
        # As `Source.changes` tells it: what is unreadable each time, and nothing gone below an unread folder.
        unread = {path for path, content in files.items() if content.startswith("s")}
        changes: list[Change] = [
            Gone(path)
            for path in sorted(was.keys() - files.keys())
            if not was[path].startswith("s") and not below(path, unread)
        ]
        for path, content in files.items():
            if content != was.get(path) or path in unread or below(path, trouble(was)):
                changes.append(seen(at, path, content))
        story.add(at, changes)
        before[at.paths] = files
    return story.end()


def trouble(files: Mapping[str, str]) -> set[str]:
    """What could not be read."""
    return {path for path, content in files.items() if content.startswith("s")}


@pytest.fixture(scope="session")
def told() -> Told:
    return tell
