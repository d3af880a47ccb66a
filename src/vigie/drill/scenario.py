"""The drill: a practice is invented, kept, guarded, put to work, attacked and brought back, timed.

Everything lies in one temporary folder that this run makes: the practice (which alone is marked for the
attack), the vault, the state and what is recovered. The guard, the work and the attack are processes of
their own, as they are in life.
"""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from vigie.config import CheckSettings
from vigie.drill import playground
from vigie.drill.lookout import Lookout
from vigie.drill.practice import build
from vigie.drill.story import Chapter, Column, Hit, Step, Story, Summary
from vigie.errors import VigieError
from vigie.journal import Journal
from vigie.model import State
from vigie.sources.restic import ResticSource
from vigie.timeline import Story as Telling
from vigie.timeline import plan
from vigie.vault import Destination, History, Kept, Recovery, Restic, init, keep, recover, verify
from vigie.workers import Workers

ATTACK_LASTS = 120.0
"""Seconds the attack is given; it is killed then, frozen or not."""
FREEZE_WITHIN = 20.0
"""Seconds the guard is given to freeze it."""
PATIENCE = 120.0
"""Seconds the guard is given to know every file."""
QUIET = 1.0
"""Seconds after the ordinary work in which an alarm still counts as false."""

OnStep = Callable[[Step], None]
OnProgress = Callable[[Chapter, int, int | None], None]


@dataclass(slots=True)
class _Run:
    """One drill under way."""

    base: Path
    on_step: OnStep
    on_progress: OnProgress
    began: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def chapter(self, chapter: Chapter) -> Iterator[dict[str, Any]]:
        """Time a step; what is put into the dictionary are its facts."""
        start = time.monotonic()
        facts: dict[str, Any] = {}
        self.on_progress(chapter, 0, None)
        yield facts
        now = time.monotonic()
        step = Step(chapter, round(start - self.began, 3), round(now - start, 3), facts)
        self.steps.append(step)
        self.on_step(step)


def drill(
    *,
    files: int = 2000,
    keep_in: Path | None = None,
    seed: int | None = None,
    on_step: OnStep = lambda _: None,
    on_progress: OnProgress = lambda *_: None,
) -> Story:
    """Run the whole drill.

    Args:
        files: of the invented practice, at least `vigie.drill.practice.LEAST`.
        keep_in: an existing folder in which everything is left to look at; else all is removed at the end.
        seed: of the practice and the work; another one each time where none is given.
        on_step: is told each step as it is done.
        on_progress: is told how far the step under way is, and of how much.

    Raises:
        VigieError: a part of the chain could not run here; what and why.
    """
    began_ns = time.time_ns()
    base = Path(tempfile.mkdtemp(prefix="vigie-drill-", dir=keep_in))
    with ExitStack() as stack:
        if keep_in is None:
            stack.callback(shutil.rmtree, base)
        run = _Run(base, on_step, on_progress)
        return _scenario(run, files, secrets.randbelow(1 << 30) if seed is None else seed, began_ns)


def _scenario(run: _Run, files: int, seed: int, began_ns: int) -> Story:
    ground = playground.create(run.base)
    share = ground.folder
    with run.chapter(Chapter.PRACTICE) as facts:
        # Built unmarked, in place: the marker lists what was made, and only that may be overwritten.
        practice = build(
            share,
            files=files,
            seed=seed,
            progress=lambda done, of: run.on_progress(Chapter.PRACTICE, done, of),
        )
        ground = playground.record(ground, [made.path for made in practice.files])
        facts |= {
            "folder": str(share),
            "files": len(practice.files),
            "bytes": sum((share / made.path).stat().st_size for made in practice.files),
            "patients": len(practice.patients),
            "kinds": dict(Counter(made.kind for made in practice.files).most_common()),
        }
    state = run.base / "state"
    state.mkdir(mode=0o700)
    with Workers(CheckSettings()) as workers, Journal(state) as journal:
        restic = Restic.at("restic", str(run.base / "vault"), state).with_password(secrets.token_hex(16))
        init(restic)
        false = _keep(run, Chapter.FIRST_KEEP, restic, share, workers, journal).verdicts.get(
            State.ENCRYPTED, 0
        )
        with Lookout(share, state) as lookout:
            lost = _ready(run, lookout)
            _work(run, share, seed, lookout)
            false += _keep(run, Chapter.SECOND_KEEP, restic, share, workers, journal).verdicts.get(
                State.ENCRYPTED, 0
            )
            false += lookout.alarms()
            before = _digests(share)
            after, frozen_after, actor = _attack(run, ground, lookout, before)
        _keep(run, Chapter.THIRD_KEEP, restic, share, workers, journal)
        recovered = run.base / "recovered"
        columns, tally = _bring_back(run, restic, share, recovered, workers)
        with run.chapter(Chapter.PROOF) as facts:
            back = _digests(recovered / str(share).lstrip("/"))
            identical = sum(back.get(path) == digest for path, digest in before.items())
            rows, chain = journal.verify()
            facts |= {
                "files": len(before),
                "identical": identical,
                "journal_rows": rows,
                "journal_hash": chain,
                "vault_problems": len(verify(restic)),
            }
    changed = sorted(path for path, digest in before.items() if after.get(path) != digest)
    summary = Summary(
        files=len(before),
        files_lost=len(changed),
        frozen_after_s=frozen_after,
        false_alarms=false,
        restored=tally.restored,
        verified=tally.verified,
        unrecoverable=tally.record()["unrecoverable"],
        duration_s=round(time.monotonic() - run.began, 3),
    )
    return Story(
        began_ns=began_ns,
        steps=tuple(run.steps),
        columns=columns,
        hits=tuple(Hit(path, back.get(path) == before[path]) for path in changed),
        identical=identical,
        actor=actor,
        lost=lost,
        summary=summary,
    )


def _keep(
    run: _Run, chapter: Chapter, restic: Restic, share: Path, workers: Workers, journal: Journal
) -> Kept:
    with run.chapter(chapter) as facts:
        judged = iter(range(1, sys.maxsize))
        kept = keep(
            restic,
            [str(share)],
            workers.judge_all,
            journal,
            exclude=(playground.MARKER,),
            on_verdict=lambda *_: run.on_progress(chapter, next(judged), None),
        )
        facts |= {
            "snapshot": kept.snapshot,
            "files": kept.files,
            "intact": kept.verdicts.get(State.INTACT, 0),
            "encrypted": kept.verdicts.get(State.ENCRYPTED, 0),
            "damaged": kept.verdicts.get(State.DAMAGED, 0),
            "unknown": kept.verdicts.get(State.UNKNOWN, 0),
        }
    return kept


def _ready(run: _Run, lookout: Lookout) -> tuple[str, ...]:
    with run.chapter(Chapter.GUARD) as facts:
        ready = lookout.await_event("ready", PATIENCE)
        baseline = lookout.await_event("baseline", PATIENCE) if ready else None
        if ready is None or baseline is None:
            raise VigieError("guard", f"it does not watch after {PATIENCE:g} s", "Is the machine overloaded?")
        facts |= {"sensor": ready["sensor"], "lost": ready["lost"], "files": baseline["files"]}
    return tuple(ready["lost"])


def _work(run: _Run, share: Path, seed: int, lookout: Lookout) -> None:
    with run.chapter(Chapter.WORK) as facts:
        done = _python("vigie.drill.work", str(share), "--seed", str(seed))
        if done.returncode != 0:
            raise VigieError("ordinary work", done.stderr.strip()[-500:], "Please report this.")
        time.sleep(QUIET)
        facts |= {"done": done.stdout.count("\n"), "alarms": lookout.alarms(), "lines": done.stdout}


def _attack(
    run: _Run, ground: playground.Playground, lookout: Lookout, before: dict[str, str]
) -> tuple[dict[str, str], float | None, dict[str, Any] | None]:
    """What is left after the attack, how long it ran, and who was named."""
    with run.chapter(Chapter.ATTACK) as facts:
        begun_ns = time.time_ns()
        command = (sys.executable, "-m", "vigie.drill.attack", str(ground.folder), "--token", ground.token)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as attacker:
            try:
                action = _frozen(lookout, attacker.pid) if _can_freeze(run.steps) else None
                if action is None:
                    attacker.wait(ATTACK_LASTS)
            except subprocess.TimeoutExpired:
                pass  # the drill itself puts an end to it, below
            finally:
                attacker.send_signal(signal.SIGKILL)
        incident = next((event for event in lookout.events if event["event"] == "incident"), None)
        after = _digests(ground.folder)
        first = _first_change(ground.folder, before, after, begun_ns)
        frozen_after = round((_nanoseconds(action["time"]) - first) / 1e9, 4) if action and first else None
        facts |= {
            "lost": sum(after.get(path) != digest for path, digest in before.items()),
            "frozen_after_s": frozen_after,
            "incident": incident,
        }
    return after, frozen_after, incident["actor"] if incident else None


def _can_freeze(steps: Sequence[Step]) -> bool:
    """Whether the guard of this drill can name and stop a process at all."""
    return any(step.chapter is Chapter.GUARD and step.facts["sensor"] == "fanotify" for step in steps)


def _frozen(lookout: Lookout, pid: int) -> dict[str, Any] | None:
    return lookout.await_event("action", FREEZE_WITHIN, kind="freeze", pid=pid)


def _bring_back(
    run: _Run, restic: Restic, share: Path, recovered: Path, workers: Workers
) -> tuple[tuple[Column, ...], Recovery]:
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        with run.chapter(Chapter.TIMELINE) as facts:
            history, telling, columns = History(source, workers.judge_all), Telling(), []
            for snapshot in source.snapshots():
                seen = history.next(snapshot, lambda done, of: run.on_progress(Chapter.TIMELINE, done, of))
                row = telling.add(snapshot, seen)
                folders: dict[str, tuple[int, int]] = {}
                for item, verdict in seen:
                    path = getattr(item, "path", None) or item.entry.path  # type: ignore[union-attr] # a Version
                    top = os.path.relpath(path, share).partition("/")[0]
                    count, hit = folders.get(top, (0, 0))
                    folders[top] = (count + 1, hit + (verdict.state is State.ENCRYPTED))
                columns.append(Column(snapshot.id, snapshot.time_ns, row.files, row.encrypted, folders))
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
    return tuple(columns), tally


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the practice, by path relative to it; the marker is not one."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if name != playground.MARKER:
                with path.open("rb") as file:
                    found[path.relative_to(folder).as_posix()] = hashlib.file_digest(
                        file, "sha256"
                    ).hexdigest()
    return found


def _first_change(folder: Path, before: dict[str, str], after: dict[str, str], begun_ns: int) -> int | None:
    """When the first file was overwritten: the earliest change of anything new or changed since."""
    changed = [folder / path for path, digest in after.items() if before.get(path) != digest]
    times = [path.stat().st_ctime_ns for path in changed]
    return min((when for when in times if when >= begun_ns), default=None)


def _nanoseconds(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp() * 1e9)


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", *words), capture_output=True, text=True, timeout=600, check=False
    )
