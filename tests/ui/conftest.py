"""A drill's story as it could have been, for whoever tells it."""

from typing import Any

import pytest

from vigie.drill.story import Chapter, Column, Hit, Step, Story, Summary

SNAPSHOTS = ("a" * 64, "b" * 64, "c" * 64)
KEPT = {"damaged": 0, "unknown": 0, "encrypted": 0}
WORK = {"seconds": 0.1, "added": 2, "changed": 10, "removed": 0, "renamed": 0}
ACTOR = {
    "pid": 4242,
    "started": 7,
    "executable": "/usr/bin/python3.11",
    "command": ["python3", "-m", "vigie.drill.attack"],
    "user": "root",
    "parents": [{"pid": 1, "started": 1, "executable": "/sbin/init", "user": "root"}],
}


@pytest.fixture
def story() -> Story:
    """Everything came back; the attack was frozen after 5.7 ms."""
    told: dict[Chapter, dict[str, Any]] = {
        Chapter.PRACTICE: {
            "folder": "/tmp/d/p",
            "kept": None,
            "files": 1200,
            "bytes": 44_400_000,
            "patients": 150,
            "kinds": {"pdf": 1200},
        },
        Chapter.FIRST_KEEP: {"snapshot": "a" * 8, "files": 1200, "intact": 1200, **KEPT},
        Chapter.GUARD: {"sensor": "fanotify", "lost": [], "files": 1201},
        Chapter.WORK: {
            "alarms": 0,
            "work": [
                {"work": "letters edited", "travail": "courriers modifiés", "skipped": "", **WORK},
                {"work": "export encrypted", "travail": "export chiffré", "skipped": "no gpg", **WORK},
            ],
        },
        Chapter.SECOND_KEEP: {"snapshot": "b" * 8, "files": 1234, "intact": 1234, **KEPT},
        Chapter.ATTACK: {
            "lost": 3,
            "frozen_after_s": 0.0057,
            "incident": {"event": "incident", "id": "x", "actor": ACTOR, "files": [], "count": 3},
        },
        Chapter.THIRD_KEEP: {"snapshot": "c" * 8, "files": 1235, "intact": 1232, **KEPT, "encrypted": 3},
        Chapter.TIMELINE: {
            "snapshots": 3,
            "last_clean": SNAPSHOTS[1],
            "first_hit": SNAPSHOTS[2],
            "affected": 3,
        },
        Chapter.RECOVER: {"restored": 1235, "verified": 1235, "unrecoverable": 0, "by_snapshot": {}},
        Chapter.PROOF: {
            "files": 1234,
            "identical": 1234,
            "journal_rows": 13,
            "journal_hash": "0",
            "vault_problems": 0,
        },
    }
    steps = tuple(Step(chapter, 7.5 * n, 7.0, told[chapter]) for n, chapter in enumerate(Chapter))
    folders = {"Base": (1, 0), "Biologie": (1233, 0)}
    columns = (
        Column(SNAPSHOTS[0], 1, 1200, 0, {"Biologie": (1200, 0)}),
        Column(SNAPSHOTS[1], 2, 1234, 0, folders),
        Column(SNAPSHOTS[2], 3, 1235, 3, {**folders, "Biologie": (1234, 3)}),
    )
    hits = tuple(Hit(f"Biologie/{n}.hpr", came_back=True) for n in range(3))
    summary = Summary(1234, 3, 0.0057, 0, 1235, 1235, 0, 74.5)
    return Story(1_795_448_560_000_000_000, steps, columns, hits, 1234, ACTOR, (), summary)
