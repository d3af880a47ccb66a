"""`vigie timeline`: from the backups, when it began and which version is the last clean one."""

import time
from pathlib import Path

import click

from vigie.config import ForgetSettings, load
from vigie.errors import ExitCode
from vigie.timeline import Policy, Row, affected, attack, cautions, one_machine, plan
from vigie.ui.cli import output, shown
from vigie.ui.cli import timeline_record as record
from vigie.ui.cli import timeline_tale as tale
from vigie.ui.cli.timeline_record import Findings
from vigie.ui.report import timeline as page
from vigie.ui.report.file import writable, write
from vigie.vault import Effort, Recall, source_of, told
from vigie.workers import Workers


@click.command()
@click.argument("source", default="vault")
@click.option("--host", metavar="NAME", help="The machine, where the backup keeps several.")
@click.option("--full", is_flag=True, help="Judge all of every version (stage 3), and trust no list.")
@click.option("--again", is_flag=True, help="Read and judge anew what an earlier run has read.")
@click.option("--files", is_flag=True, help="Name every document that is hit, and its last clean snapshot.")
@click.option("--report", metavar="FILE", help="Write a page with pictures, in French and English, to FILE.")
@output.options
def command(
    source: str,
    host: str | None,
    full: bool,
    again: bool,
    files: bool,
    report: str | None,
    settings: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Say from the versions in SOURCE when it began, what is hit, and which snapshot is the last clean one.

    SOURCE is restic:LOCATION, borg:PATH, snapshots:DIR, or "vault" (the default): the repository of
    vigie.toml. Nothing in it is locked or written; what was learnt is kept in the state folder, so that the
    next run reads what is new. Lists come first (names, sizes, how far each version
    compresses), then the beginning of what they leave open, then all of what that cannot settle.
    """
    if report:
        writable(Path(report), page.MARK, of="a timeline")
    chosen = load(settings)
    effort = Effort()
    with source_of(source, chosen.vault) as backup, Workers(chosen.check) as workers, Recall() as recall:
        if not again:
            recall.open(state)
        snapshots = one_machine(backup.snapshots(), host, backup.location)
        with output.progress(shown=not as_json) as progress:
            reading = progress.add_task("snapshots", total=len(snapshots))
            judging = progress.add_task("files read", total=None)

            def on_row(row: Row) -> None:
                progress.advance(reading)
                if as_json:
                    output.emit(record.row(row))

            def on_judged(done: int, total: int) -> None:
                progress.update(judging, completed=done, total=total)

            story = told(
                backup,
                workers.judge_all,
                snapshots,
                full=full,
                effort=effort,
                recall=recall,
                on_row=on_row,
                on_judged=on_judged,
            )
        damage, location = backup.damage, backup.location
    warned = cautions(story, time.time_ns(), _policy(chosen.vault.forget))
    found = Findings(story, attack(story), warned, len(plan(story).lost), effort, damage)
    if as_json:
        for document in affected(story) if files else ():
            output.emit(record.hit(document, effort))
        known = {"known": recall.answered, "memory": recall.problem or None}
        output.emit({"summary": {**record.summary(found), **known}})
    else:
        tale.show(output.console(), found, source)
        if recall.answered:
            click.echo(f"Known from earlier runs, and not read again: {recall.answered:,}.")
        if recall.problem:
            click.echo(f"Went on without memory of earlier runs: {shown(recall.problem)}.")
        for document in affected(story) if files else ():
            click.echo(tale.line(document))
    if report:
        text = page.page(story, found.attack, found.cautions, source=location, made_ns=time.time_ns())
        write(Path(report), text, page.MARK, of="a timeline", private=True)
        if not as_json:
            click.echo(f"The page with pictures: {shown(report)}")
    if story.first_hit:
        return ExitCode.FOUND
    return ExitCode.PARTIAL if damage or any(row.unread for row in story.rows) else ExitCode.CLEAN


def _policy(forget: ForgetSettings) -> Policy | None:
    chosen = Policy(**forget.model_dump())
    return chosen if chosen != Policy() else None
