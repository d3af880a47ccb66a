"""After the attack: what the vault tells, and everything brought back from it."""

import os
from pathlib import Path

from vigie.drill.run import Run
from vigie.drill.story import Chapter, Column
from vigie.model import Gone, Skipped, State
from vigie.sources.restic import ResticSource
from vigie.timeline import Story as Telling
from vigie.timeline import plan
from vigie.vault import Destination, History, Recovery, Restic, recover
from vigie.workers import Workers


def bring_back(
    run: Run, restic: Restic, share: Path, recovered: Path, workers: Workers
) -> tuple[tuple[Column, ...], set[str], Recovery]:
    """The vault as columns, what is encrypted in the last of them, and the tally of what was restored."""
    encrypted: set[str] = set()
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        with run.chapter(Chapter.TIMELINE) as facts:
            history, telling, columns = History(source, workers.judge_all, full=True), Telling(), []
            there: dict[str, bool] = {}
            for snapshot in source.snapshots():
                changes = history.next(snapshot, lambda done, of: run.on_progress(Chapter.TIMELINE, done, of))
                row = telling.add(snapshot, changes)
                for change in changes:
                    if isinstance(change, Gone):
                        there.pop(os.path.relpath(change.path, share), None)
                        continue
                    item, verdict = change
                    path = item.path if isinstance(item, Skipped) else item.entry.path
                    there[os.path.relpath(path, share)] = verdict.state is State.ENCRYPTED
                folders: dict[str, tuple[int, int]] = {}
                for path, hit in there.items():
                    count, hits = folders.get(path.partition("/")[0], (0, 0))
                    folders[path.partition("/")[0]] = (count + 1, hits + hit)
                columns.append(Column(snapshot.id, snapshot.time_ns, row.files, row.encrypted, folders))
            encrypted = {path for path, hit in there.items() if hit}
            told = telling.end()
            facts |= {
                "snapshots": len(columns),
                "last_clean": told.last_clean.id if told.last_clean else None,
                "first_hit": told.first_hit.id if told.first_hit else None,
                "affected": told.affected,
            }
        with run.chapter(Chapter.RECOVER) as facts:
            planned, tally = plan(told), Recovery()
            recovered.mkdir()
            with Destination(str(recovered)) as destination:
                for number, handed in enumerate(recover(planned, source, workers.judge, destination), 1):
                    tally.count(handed)
                    run.on_progress(Chapter.RECOVER, number, len(planned.choices))
            facts.update(tally.record())
    return tuple(columns), encrypted, tally
