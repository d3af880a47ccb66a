"""The drill: a practice is invented, kept, guarded, put to work, attacked and brought back, timed.

Everything lies in one temporary folder that this run makes: the practice (which alone is marked for the
attack), the vault, the state and what is recovered. The guard, the work and the attack are processes of
their own, as they are in life; the kernel ends them with the drill, even should that be killed.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from vigie.config import CheckSettings
from vigie.drill import extra, playground
from vigie.drill.aftermath import bring_back
from vigie.drill.evidence import digests, first_change, seconds_between
from vigie.drill.lookout import Lookout, leash
from vigie.drill.place import folder_in, full_disk, leave, room_for
from vigie.drill.practice import LEAST, build
from vigie.drill.run import OnProgress, OnStep, Run
from vigie.drill.story import Chapter, Hit, Step, Story, Summary
from vigie.errors import VigieError
from vigie.journal import Journal
from vigie.model import State
from vigie.vault import Kept, Restic, init, keep, verify
from vigie.watch.freeze import FROZEN
from vigie.workers import Workers

ATTACK_LASTS = 120.0
"""Seconds the attack is given; it is killed then, frozen or not."""
FREEZE_WITHIN = 20.0
"""Seconds the guard is given to freeze it."""
PATIENCE = 120.0
"""Seconds the guard is given to know every file."""
WORK_LASTS = 600.0
"""Seconds the ordinary work is given."""
_CLEARS_WITHIN = 10.0
"""Seconds it is given to clear up when the drill is interrupted."""
QUIET = 1.0
"""Seconds after the ordinary work in which an alarm still counts as false."""
ALARM_WITHIN = 10.0
"""Seconds after the attack in which the guard may still raise the alarm, where it cannot freeze."""
PASSWORD_FILE = "vault-password"  # noqa: S105 - the name of a file, not a password
"""Beside the vault where everything is left: restic opens it with this alone."""


def drill(
    *,
    files: int = 2000,
    keep_in: Path | None = None,
    seed: int | None = None,
    restic: str = "restic",
    sensor: str = "auto",
    on_step: OnStep = lambda _: None,
    on_progress: OnProgress = lambda *_: None,
) -> Story:
    """Run the whole drill.

    Args:
        files: of the invented practice, at least `vigie.drill.practice.LEAST`.
        keep_in: an existing folder in which everything is left to look at; else all is removed at the end.
        seed: of the practice and the work; another one each time where none is given.
        restic: the restic program.
        sensor: of the guard, as `vigie guard --sensor` has it.
        on_step: is told each step as it is done.
        on_progress: is told how far the step under way is, and of how much.

    Raises:
        MissingProgram: restic, or a library of the `drill` extra, is not installed; nothing was made.
        DiskFull, NotPermitted: there is no room for it, or the folder cannot be written.
        VigieError: a part of the chain could not run here; what and why.
    """
    for module in extra.PACKAGES:
        extra.load(module)
    if files < LEAST:
        raise VigieError(f"{files} files", "too few for an invented practice", f"Ask for {LEAST} or more.")
    place = keep_in or Path(tempfile.gettempdir())
    with ExitStack() as stack:
        stack.enter_context(full_disk(place))
        room_for(files, place)
        began_ns = time.time_ns()
        base = folder_in(place)
        stack.callback(leave if keep_in else shutil.rmtree, base)
        run = Run(base, restic, sensor, keep_in is not None, on_step, on_progress)
        return _scenario(run, files, secrets.randbelow(1 << 30) if seed is None else seed, began_ns)


def _scenario(run: Run, files: int, seed: int, began_ns: int) -> Story:
    state = run.base / "state"
    # First of all, since restic may be missing.
    restic = Restic.at(run.restic, str(run.base / "vault"), state)
    state.mkdir(mode=0o700)
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
            "kept": str(run.base) if run.kept else None,
            "files": len(practice.files),
            "bytes": sum((share / made.path).stat().st_size for made in practice.files),
            "patients": len(practice.patients),
            "kinds": dict(Counter(made.kind for made in practice.files).most_common()),
        }
    with Workers(CheckSettings()) as workers, Journal(state) as journal:
        restic = restic.with_password(_password(run))
        first = _keep(run, Chapter.FIRST_KEEP, restic, share, workers, journal)
        with Lookout(share, state, sensor=run.sensor) as lookout:
            lost = _ready(run, lookout)
            _work(run, share, seed, lookout)
            second = _keep(run, Chapter.SECOND_KEEP, restic, share, workers, journal)
            false = lookout.alarms() + sum(kept.verdicts.get(State.ENCRYPTED, 0) for kept in (first, second))
            before = digests(share)
            after, frozen_after, actor = _attack(run, ground, lookout, before)
        _keep(run, Chapter.THIRD_KEEP, restic, share, workers, journal)
        recovered = run.base / "recovered"
        columns, encrypted, tally = bring_back(run, restic, share, recovered, workers)
        changed = sorted(path for path, digest in before.items() if after.get(path) != digest)
        false += sum(path in before and path not in changed for path in encrypted)
        with run.chapter(Chapter.PROOF) as facts:
            back = digests(recovered / str(share).lstrip("/"))
            identical = sum(back.get(path) == digest for path, digest in before.items())
            rows, chain = journal.verify()
            facts |= {
                "files": len(before),
                "identical": identical,
                "journal_rows": rows,
                "journal_hash": chain,
                "vault_problems": len(verify(restic)),
            }
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
        kept=str(run.base) if run.kept else None,
    )


def _password(run: Run) -> str:
    """A password of this drill's own; left beside the vault where everything is left."""
    password = secrets.token_hex(16)
    if run.kept:
        file = os.open(run.base / PASSWORD_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(file, "w") as text:
            text.write(password + "\n")
    return password


def _keep(
    run: Run, chapter: Chapter, restic: Restic, share: Path, workers: Workers, journal: Journal
) -> Kept:
    with run.chapter(chapter) as facts:
        if chapter is Chapter.FIRST_KEEP:
            init(restic)
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


def _ready(run: Run, lookout: Lookout) -> tuple[str, ...]:
    with run.chapter(Chapter.GUARD) as facts:
        ready = lookout.await_event("ready", PATIENCE)
        baseline = lookout.await_event("baseline", PATIENCE) if ready else None
        if ready is None or baseline is None:
            raise VigieError("guard", f"it does not watch after {PATIENCE:g} s", "Is the machine overloaded?")
        # Why it has the lesser sensor (no root, usually), and what is lost by it.
        lost = (*lookout.complaints(), *ready["lost"])
        facts |= {"sensor": ready["sensor"], "lost": list(lost), "files": baseline["files"]}
    return lost


def _work(run: Run, share: Path, seed: int, lookout: Lookout) -> None:
    with run.chapter(Chapter.WORK) as facts:
        code, said, complaints = _python("vigie.drill.work", str(share), "--seed", str(seed))
        if code != 0:
            raise VigieError("ordinary work", _last_line(complaints), "Is the disk full? Else, report it.")
        time.sleep(QUIET)
        facts |= {"alarms": lookout.alarms(), "work": [_touched(line) for line in said.splitlines()]}


def _touched(line: str) -> dict[str, Any]:
    """A step of the ordinary work: how many files it touched, rather than which."""
    said: dict[str, Any] = json.loads(line)
    return {key: len(value) if isinstance(value, list) else value for key, value in said.items()}


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "it ended without a word")[:500]


def _attack(
    run: Run, ground: playground.Playground, lookout: Lookout, before: dict[str, str]
) -> tuple[dict[str, str], float | None, dict[str, Any] | None]:
    """What is left after the attack, how long it ran, and who was named."""
    with run.chapter(Chapter.ATTACK) as facts:
        begun_ns, heard = time.time_ns(), len(lookout.events)
        command = (sys.executable, "-m", "vigie.drill.attack", str(ground.folder), "--token", ground.token)
        with subprocess.Popen(
            (*leash("KILL"), *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as attacker:
            try:
                action = _frozen(lookout, attacker.pid) if _can_freeze(run.steps) else None
                if action is None:
                    attacker.wait(ATTACK_LASTS)
            except subprocess.TimeoutExpired:
                pass  # the drill itself puts an end to it, below
            finally:
                attacker.send_signal(signal.SIGKILL)
        if action is None:
            lookout.await_event("incident", ALARM_WITHIN)
        incident = next((event for event in lookout.events[heard:] if event["event"] == "incident"), None)
        after = digests(ground.folder)
        first = first_change(ground.folder, before, after, begun_ns)
        frozen_after = seconds_between(first, action["time"]) if action and first else None
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
    return lookout.await_event("action", FREEZE_WITHIN, kind="freeze", pid=pid, outcome=FROZEN)


def _python(*words: str) -> tuple[int, str, str]:
    """Run a module to its end: exit code, what it says, and what it complains of.

    Raises:
        VigieError: it does not end.
    """
    command = (*leash("INT"), sys.executable, "-m", *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            said, complaints = child.communicate(timeout=WORK_LASTS)
        except BaseException as error:
            # As Ctrl-C does: it clears away what it has elsewhere (a home folder of gpg and its agent).
            child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(_CLEARS_WITHIN)
            child.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                problem = f"it has not ended after {WORK_LASTS:g} s"
                raise VigieError("ordinary work", problem, "Is the machine overloaded?") from error
            raise
    return child.returncode, said, complaints
