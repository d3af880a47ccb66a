"""What `vigie timeline` found, for machines: the promised keys of DESIGN.md ("Command line"), and more."""

from dataclasses import dataclass
from datetime import UTC, datetime

from vigie.model import Skipped, Version
from vigie.timeline import Affected, Attack, Caution, Row, Timeline, Wave
from vigie.vault import Effort


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is said of a source."""

    story: Timeline
    attack: Attack
    cautions: tuple[Caution, ...]
    lost: int
    """Documents of which no version can be handed back."""
    effort: Effort
    damage: tuple[Skipped, ...]


def row(of: Row) -> dict[str, object]:
    """One snapshot."""
    return {
        "snapshot": of.snapshot.id,
        "time": when(of.snapshot.time_ns),
        "files": of.files,
        "new": of.new,
        "changed": of.changed,
        "encrypted": of.encrypted,
        "suspect": of.suspect,
        "unread": of.unread,
    }


def hit(item: Affected, effort: Effort) -> dict[str, object]:
    """One document that was hit; `stage` is the one that settled what shows it."""
    seen = item.shown.item if item.shown else None
    return {
        "path": item.document.path,
        "hit": item.hit.id,
        "last_clean": item.clean.id if item.clean else None,
        "now": item.now or None,
        "sure": item.sure,
        "stage": effort.stage(seen) if isinstance(seen, Version) else 1,
    }


def summary(found: Findings) -> dict[str, object]:
    """All of it."""
    story = found.story
    return {
        "last_clean": story.last_clean.id if story.last_clean else None,
        "first_hit": story.first_hit.id if story.first_hit else None,
        "affected": story.affected,
        "unrecoverable": found.lost,
        "never_hit": found.attack.never_hit,
        "snapshots": len(story.rows),
        "waves": [_wave(wave) for wave in found.attack.waves],
        "ransom_notes": [
            {"name": note.name, "folders": note.folders, "example": note.example, "since": note.first.id}
            for note in found.attack.notes
        ],
        "cautions": [
            {
                "what": caution.oddity.value,
                "snapshots": [snapshot.id for snapshot in caution.snapshots],
                "files": caution.files,
            }
            for caution in found.cautions
        ],
        "stages": {str(stage): found.effort.settled[stage] for stage in (1, 2, 3)},
        "read": found.effort.read,
        "damage": [f"{item.path}: {item.reason}" for item in found.damage],
        "notes": list(story.notes),
    }


def _wave(wave: Wave) -> dict[str, object]:
    return {
        "after": wave.clean.id if wave.clean else None,
        "first": wave.first.id,
        "last": wave.last.id,
        "files": wave.files,
        "folders": wave.folders,
        "slow": wave.slow,
        "earliest": {"path": wave.earliest.path, "mtime": when(wave.earliest.mtime_ns)}
        if wave.earliest
        else None,
        "endings": dict(wave.endings),
    }


def when(time_ns: int) -> str:
    """A time as machines and people read it: ISO 8601, UTC."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds")
