"""A real guard with a fake judge, in a process of its own (what its parent's children do is its business).

`python fake_guard.py ROOT STATE [contain] [watchfiles]`: JSON Lines as `vigie guard --json`. A file is
encrypted when it is not ASCII and its name says `.txt`; the judge takes `JUDGE_MS` milliseconds, raises on a
name with "poison" and sleeps on one with "stuck". `FULL_DISK`: the journal refuses from the second row on
while that file exists. `AHEAD`, `RELEASE_AFTER`, `NEVER`: settings.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from vigie.config import GuardSettings
from vigie.errors import DiskFull
from vigie.journal import Journal, Row
from vigie.judge import glance
from vigie.model import Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.sources.folder import walk
from vigie.watch.fanotify import Fanotify
from vigie.watch.folder_events import FolderEvents
from vigie.watch.freeze import Freezer
from vigie.watch.guard import Edges, Guard
from vigie.watch.lock import sole_guard
from vigie.watch.scope import Scope
from vigie.watch.urgency import be_urgent

DELAY = float(os.environ.get("JUDGE_MS", "0")) / 1000


def judge(blob: OpenBlob, name: str, before: Likeness | None = None) -> Verdict:
    del before
    time.sleep(5 if "stuck" in name else DELAY)
    if "poison" in name:
        raise RuntimeError("poison")
    random = not blob.at(0, blob.size).isascii()
    state = State.INTACT if not random else State.ENCRYPTED if ".txt" in name else State.UNKNOWN
    if "damaged" in name:
        state = State.DAMAGED
    likeness = Likeness(state, None, blob.size, float(random), b"")
    return Verdict(state, evidence=("as the test has it",), likeness=likeness)


def judge_all(
    items: Iterable[Entry | Skipped], before: Callable[[str], Likeness | None]
) -> Iterator[tuple[Entry | Skipped, Verdict]]:
    for item in items:
        assert isinstance(item, Entry)
        blob = item.open()
        try:
            verdict = judge(blob, item.path, before(item.path))
        finally:
            blob.close()
        yield item, verdict


class FullDisk(Journal):
    def append(self, kind: str, body: dict[str, Any], *, durable: bool = True) -> Row:
        if os.path.exists(os.environ.get("FULL_DISK", "")):
            raise DiskFull(str(self.path), "database or disk is full", "Make room.")
        return super().append(kind, body, durable=durable)


def emit(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def main() -> int:
    root, state, *words = sys.argv[1:]
    scope = Scope([root], state=state, exclude=("*.skip", "left-out"))
    settings = GuardSettings(
        release_after=float(os.environ.get("RELEASE_AFTER", "3600")),
        never_freeze=tuple(filter(None, [os.environ.get("NEVER", "")])),
    )
    with sole_guard(Path(state)), FullDisk(Path(state)) as journal:
        sensor = FolderEvents(scope.roots) if "watchfiles" in words else Fanotify(scope.roots)
        edges = Edges(sensor, judge, judge_all, glance, lambda: walk(scope.roots), emit)
        freezer = Freezer(settings.never_freeze)
        guard = Guard(edges, scope, settings, journal, freezer, contain="contain" in words)
        signal.signal(signal.SIGTERM, lambda *_: guard.stop())
        be_urgent()
        code = guard.run()
        sensor.close()
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
