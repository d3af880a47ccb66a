"""`vigie drill`: rehearse the whole chain on an invented practice, as a story that is told as it happens."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from vigie.config import load
from vigie.errors import ExitCode, NotPermitted
from vigie.ui.cli import output

if TYPE_CHECKING:
    from vigie.drill.story import Step


@click.command(name="drill")
@click.option("--files", default=2000, show_default=True, metavar="N", help="Files of the invented practice.")
@click.option("--keep", metavar="DIR", help="Leave everything in a new folder below DIR, to look at.")
@click.option("--report", metavar="FILE", help="Write a page in French and English, to read or to print.")
@click.option("--seed", type=int, metavar="N", help="The same practice again; another one each time without.")
@output.options
def command(
    files: int,
    keep: str | None,
    report: str | None,
    seed: int | None,
    settings: str | None,
    state: str | None,  # noqa: ARG001 - a common option; a drill has a state folder of its own
    as_json: bool,
) -> int:
    """Rehearse an attack: invent a practice, keep it, guard it, attack it, and bring it back.

    Nothing real is touched: the attack can overwrite only what this run has made. As root the guard freezes
    it; without, it runs to its end and the vault brings everything back.

    Exit code 0 only if every file came back identical and nothing ordinary raised an alarm, else 1.
    """
    # Here, so that `vigie drill --help` is instant.
    from vigie.drill.scenario import drill  # noqa: PLC0415 - see above
    from vigie.ui.cli.drill_tale import Tale  # noqa: PLC0415 - see above
    from vigie.ui.report import drill as document  # noqa: PLC0415 - see above
    from vigie.ui.report.file import writable, write  # noqa: PLC0415 - see above

    chosen = load(settings)
    keep_in = _folder(keep) if keep else None
    if report:
        writable(Path(report), document.MARK)
    with _ended_gently(), Tale(files, shown=not as_json) as tale:

        def on_step(step: "Step") -> None:
            if as_json:
                output.emit(record(step))
            else:
                tale.step(step)

        story = drill(
            files=files,
            keep_in=keep_in,
            seed=seed,
            restic=chosen.vault.restic,
            on_step=on_step,
            on_progress=tale.progress,
        )
    place = Path(report) if report else Path(story.kept) / "report.html" if story.kept else None
    if place:
        write(place, document.page(story), document.MARK)
    if as_json:
        output.emit({"summary": story.summary.record()})
    else:
        tale.end(story, place)
    return ExitCode.CLEAN if story.passed else ExitCode.FOUND


def record(step: "Step") -> dict[str, Any]:
    """A step, for JSON."""
    return {"chapter": step.chapter.value, "began": step.began, "seconds": step.seconds, **step.facts}


def _folder(keep: str) -> Path:
    """The folder of `--keep`, made where it is missing."""
    another = "Give another folder with --keep."
    try:
        os.makedirs(keep, exist_ok=True)
    except OSError as error:
        problem = (
            "a file stands there" if isinstance(error, FileExistsError) else error.strerror or str(error)
        )
        raise NotPermitted(keep, problem, another) from error
    return Path(keep)


@contextmanager
def _ended_gently() -> Iterator[None]:
    """Ctrl-C, `kill` and a closed terminal end it once: the cleaning up that follows is not cut short."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])
