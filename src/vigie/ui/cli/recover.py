"""`vigie recover`: hand back the last clean version of each file, most urgent first, each judged again."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from vigie.config import OrderSettings, load, rate, read, state_folder
from vigie.errors import BadSettings, ExitCode, NoSuchTarget, NotPermitted, VigieError
from vigie.journal import Journal
from vigie.model import Source
from vigie.timeline import Plan, one_machine, plan
from vigie.timeline.urgency import DEFAULT, Rule, Step, ordered
from vigie.ui.cli import output, recover_manifest, recover_plan, shown
from vigie.vault import Destination, Handed, Outcome, Recall, Recovery, source_of, told
from vigie.vault.manifest import NAME, Manifest
from vigie.vault.manifest_key import signing_key
from vigie.vault.recover import hand_back
from vigie.workers import Workers


class _Rate(click.ParamType[int]):
    """Bytes a second, as in vigie.toml."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return rate(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("source", default="vault")
@click.option("--to", "target", metavar="DIR", help="Where the files go, each under its whole old path.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be restored; restore nothing.")
@click.option("--order", metavar="FILE", help="A vigie.toml whose [[recover.order]] says what comes first.")
@click.option("--limit", type=_Rate(), metavar="RATE", help="Bytes a second read from SOURCE, such as 20M.")
@click.option("--nearest", is_flag=True, help="Also hand back damaged or unknown versions, named so.")
@click.option("--full", is_flag=True, help="Judge all of every version before planning: slower, surer.")
@click.option(
    "--again", is_flag=True, help="Read and judge anew, for the plan, what an earlier run has read."
)
@click.option("--host", metavar="NAME", help="The machine, where the backup keeps several.")
@click.option("--verify-manifest", "folder", metavar="DIR", help="Check manifest and files of a restore.")
@output.options
def command(
    source: str,
    target: str | None,
    only_plan: bool,
    order: str | None,
    limit: int | None,
    nearest: bool,
    full: bool,
    again: bool,
    host: str | None,
    folder: str | None,
    settings: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Restore the last clean version of every file in SOURCE below DIR, never over an existing file.

    SOURCE is restic:LOCATION, borg:PATH, snapshots:DIR, or "vault" (the default). What is most urgent for
    care comes first, and every file is judged again from what was written. Start it again after an
    interruption: what is there already is recognised. A signed manifest in DIR says what came from where.
    """
    if folder is not None:
        return recover_manifest.verify(folder, state_folder(state), as_json=as_json)
    if not only_plan and not target:
        raise click.UsageError("Give --to DIR, or --plan to see what would be restored.")
    chosen = load(settings)
    rules = _rules(chosen.recover.order, order)
    limit = chosen.recover.limit if limit is None else limit
    with source_of(source, chosen.vault) as backup, Workers(chosen.check) as workers, Recall() as recall:
        if not again:
            recall.open(state)
        snapshots = one_machine(backup.snapshots(), host, backup.location)
        with output.progress(shown=not as_json) as progress:
            judging = progress.add_task("files judged", total=None)

            def on_judged(done: int, total: int) -> None:
                progress.update(judging, completed=done, total=total)

            planned = plan(
                told(backup, workers.judge_all, snapshots, full=full, recall=recall, on_judged=on_judged)
            )
        if recall.problem:
            click.echo(f"Went on without memory of earlier runs: {shown(recall.problem)}.", err=True)
        damage = backup.damage
        for item in damage:
            click.echo(f"the source itself: {shown(item.path)}: {shown(item.reason)}", err=True)
        steps = ordered(planned, rules, nearest=nearest)
        if only_plan or target is None:
            recover_plan.show(planned, steps, _speed(state, limit), as_json=as_json)
            return ExitCode.FOUND if planned.lost else ExitCode.CLEAN
        _outside(target, backup.location)
        tally = _restore(
            backup,
            planned,
            steps,
            workers,
            target,
            state_folder(state),
            host,
            limit,
            nearest=nearest,
            as_json=as_json,
        )
    return ExitCode.PARTIAL if damage and tally.exit_code is ExitCode.CLEAN else tally.exit_code


def _restore(
    backup: Source,
    planned: Plan,
    steps: Sequence[Step],
    workers: Workers,
    target: str,
    state: Path,
    host: str | None,
    limit: int,
    *,
    nearest: bool,
    as_json: bool,
) -> Recovery:
    tally, began = Recovery(), time.monotonic()
    key = signing_key(state)
    begins = {"source": backup.location, "host": host, "started": _now()}
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(state))
        destination = stack.enter_context(Destination(target))
        manifest = stack.enter_context(Manifest(destination, key, begins))
        progress = stack.enter_context(_progress(shown=not as_json))
        handing = progress.add_task("", total=sum(step.size for step in steps))
        count = sum(len(step.choices) for step in steps)

        def on_bytes(more: int) -> None:
            progress.update(handing, advance=more)

        def on_folder(path: str, lacking: tuple[str, ...]) -> None:
            click.echo(f"folder {shown(path)}: could not be given {shown(', '.join(lacking))}", err=True)

        seen, step = 0, ""
        try:
            for handed in hand_back(
                steps,
                planned.lost,
                backup,
                workers.judge_all,
                destination,
                manifest=manifest,
                nearest=nearest,
                limit=limit,
                on_bytes=on_bytes,
                on_folder=on_folder,
            ):
                tally.count(handed)
                seen += 1
                step = handed.step or step
                progress.update(
                    handing, description=f"{min(seen, count):,} of {count:,} files: {shown(step)}"
                )
                _say(handed, as_json=as_json)
        finally:
            # Also where the disk is full: what is back so far is listed and signed, and the next run goes on.
            seconds = round(time.monotonic() - began, 3)
            _end(manifest, tally)
            journal.append(
                "recover",
                {
                    "source": backup.location,
                    "to": target,
                    **tally.record(),
                    "written": tally.outcomes[Outcome.RESTORED],
                    "seconds": seconds,
                    "key": key.public.fingerprint,
                },
            )
            progress.stop()
            _sum_up(tally, key.public.fingerprint, as_json=as_json)
    return tally


def _end(manifest: Manifest, tally: Recovery) -> None:
    try:
        manifest.end({"ended": _now(), "summary": tally.record()})
    except (OSError, VigieError) as error:
        # It is good up to its last seal, and the next run goes on from there.
        click.echo(f"{NAME} could not be ended: {shown(str(error))}", err=True)


def _rules(settings: Sequence[OrderSettings], order: str | None) -> Sequence[Rule]:
    if order is not None:
        path = Path(order)
        if not path.is_file():
            raise NoSuchTarget(order, "there is no such file", "Give the path of a vigie.toml with an order.")
        settings = read(path).recover.order
        if not settings:
            raise BadSettings(order, "it has no [[recover.order]]", "Write one, or leave --order away.")
    return tuple(Rule(**step.model_dump()) for step in settings) or DEFAULT


def _speed(state: str | None, limit: int) -> recover_plan.Speed:
    folder = state_folder(state)
    if not (folder / "journal.sqlite").is_file():
        return recover_plan.Speed.of(None, limit)
    with Journal(folder) as journal:
        return recover_plan.Speed.of(journal, limit)


def _outside(target: str, location: str) -> None:
    """What is handed back does not go among the files of the repository it comes from."""
    repository = os.path.realpath(location.removeprefix("local:"))
    if os.path.isdir(repository) and f"{os.path.realpath(target)}/".startswith(f"{repository}/"):
        raise NotPermitted(target, "the repository itself lies there", "Give another folder with --to.")


def _progress(*, shown: bool) -> Progress:
    bar = output.progress(shown=shown)
    bar.columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return bar


def _say(handed: Handed, *, as_json: bool) -> None:
    if as_json:
        output.emit(handed.record())
    elif handed.outcome is Outcome.LOST:
        click.echo(recover_plan.lost_line(handed.path, handed.reason, handed.record()["nearest"]))
    elif handed.outcome not in (Outcome.RESTORED, Outcome.ALREADY) or handed.reason:
        # A file that came back as it was last seen needs no line.
        snapshot = f" from {handed.snapshot[:8]}" if handed.snapshot else ""
        click.echo(f"{handed.outcome.value}: {shown(handed.path)}{snapshot}: {shown(handed.reason)}")


def _sum_up(tally: Recovery, fingerprint: str, *, as_json: bool) -> None:
    if as_json:
        output.emit({"summary": {**tally.record(), "manifest": NAME, "key": fingerprint}})
        return
    for snapshot, count in tally.by_snapshot.items():
        click.echo(f"  {count} from {snapshot[:8]}")
    others = {
        outcome: tally.outcomes[outcome]
        for outcome in Outcome
        if outcome not in (Outcome.RESTORED, Outcome.ALREADY) and tally.outcomes[outcome]
    }
    said = "".join(f", {count} {outcome.value}" for outcome, count in others.items())
    files = output.counted(tally.restored, "file")
    click.echo(f"{files} back, {tally.verified:,} verified healthy{said}.")
    for name, count in tally.lacking.items():
        click.echo(f"  {output.counted(count, 'file')} could not be given {shown(name)}")
    click.echo(f"Manifest: {NAME}, signed with key {fingerprint}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
