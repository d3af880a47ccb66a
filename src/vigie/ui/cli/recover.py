"""`vigie recover`: hand back the last clean version of each file, each judged again."""

import os
from collections import Counter

import click

from vigie.config import load, state_folder
from vigie.errors import ExitCode, NotPermitted, VigieError
from vigie.journal import Journal
from vigie.timeline import Plan, one_machine, plan
from vigie.ui.cli import output, shown
from vigie.vault import Destination, Handed, Outcome, Recovery, recover, source_of, told
from vigie.vault.recover import named
from vigie.workers import Workers


@click.command()
@click.argument("source", default="vault")
@click.option("--to", "target", metavar="DIR", help="Where the files go, each under its whole old path.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be restored; write nothing.")
@click.option("--host", metavar="NAME", help="The machine, where the backup keeps several.")
@output.options
def command(
    source: str,
    target: str | None,
    only_plan: bool,
    host: str | None,
    settings: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Restore the last clean version of every file in SOURCE below DIR, never over an existing file.

    SOURCE is restic:LOCATION, or "vault" (the default): the repository of vigie.toml. Every file is judged
    again from what was written. Start it again after an interruption: what is there already is recognised.
    """
    if not only_plan and not target:
        raise click.UsageError("Give --to DIR, or --plan to see what would be restored.")
    chosen = load(settings)
    with source_of(source, chosen.vault) as backup, Workers(chosen.check) as workers:
        snapshots = one_machine(backup.snapshots(), host, backup.location)
        with output.progress(shown=not as_json) as progress:
            judging = progress.add_task("files judged", total=None)

            def on_judged(done: int, total: int) -> None:
                progress.update(judging, completed=done, total=total)

            planned = plan(told(backup, workers.judge_all, snapshots, on_judged=on_judged))
        damage = backup.damage
        for item in damage:
            click.echo(f"the repository itself: {shown(item.path)}: {shown(item.reason)}", err=True)
        if only_plan or target is None:
            return _show_plan(planned, as_json=as_json)
        _outside(target, backup.location)
        tally = Recovery()
        with Journal(state_folder(state)) as journal, Destination(target) as destination:
            try:
                with output.progress(shown=not as_json) as progress:
                    handing = progress.add_task("files restored", total=len(planned.choices))
                    for handed in recover(planned, backup, workers.judge, destination):
                        tally.count(handed)
                        progress.advance(handing)
                        _say(handed, as_json=as_json)
            except VigieError:
                # The disk is full, most likely: what is back so far is listed, and the next run goes on.
                _sum_up(tally, as_json=as_json)
                raise
            finally:
                journal.append("recover", {"source": backup.location, "to": target, **tally.record()})
    _sum_up(tally, as_json=as_json)
    return ExitCode.PARTIAL if damage and tally.exit_code is ExitCode.CLEAN else tally.exit_code


def _outside(target: str, location: str) -> None:
    """What is handed back does not go among the files of the repository it comes from."""
    repository = os.path.realpath(location.removeprefix("local:"))
    if os.path.isdir(repository) and f"{os.path.realpath(target)}/".startswith(f"{repository}/"):
        raise NotPermitted(target, "the repository itself lies there", "Give another folder with --to.")


def _show_plan(planned: Plan, *, as_json: bool) -> int:
    by_snapshot = Counter(choice.version.snapshot.id for choice in planned.choices)
    for choice in planned.choices:
        if as_json:
            output.emit(
                {
                    "path": choice.path,
                    "snapshot": choice.version.snapshot.id,
                    "size": choice.version.entry.size,
                    "sha256": None,
                    "verdict": choice.verdict.state.value,
                    "outcome": "planned",
                    "reason": choice.note,
                    "why": choice.why.value,
                }
            )
        else:
            note = f": {choice.note}" if choice.note else ""
            click.echo(
                f"{choice.why.value}: {shown(choice.path)} from {choice.version.snapshot.id[:8]}{shown(note)}"
            )
    for lost in planned.lost:
        _say(named(lost), as_json=as_json)
    if as_json:
        summary = {
            "restored": 0,
            "verified": 0,
            "unrecoverable": len(planned.lost),
            "by_snapshot": by_snapshot,
        }
        output.emit({"summary": {**summary, "planned": len(planned.choices)}})
    else:
        files = output.counted(len(planned.choices), "file")
        click.echo(f"{files} would be restored; {len(planned.lost):,} unrecoverable.")
        for snapshot, count in by_snapshot.items():
            click.echo(f"  {count} from {snapshot[:8]}")
    return ExitCode.FOUND if planned.lost else ExitCode.CLEAN


def _say(handed: Handed, *, as_json: bool) -> None:
    if as_json:
        output.emit(handed.record())
    elif handed.outcome not in (Outcome.RESTORED, Outcome.ALREADY) or handed.reason:
        # A file that came back as it was last seen needs no line.
        snapshot = f" from {handed.snapshot[:8]}" if handed.snapshot else ""
        click.echo(f"{handed.outcome.value}: {shown(handed.path)}{snapshot}: {shown(handed.reason)}")


def _sum_up(tally: Recovery, *, as_json: bool) -> None:
    if as_json:
        output.emit({"summary": tally.record()})
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
