"""`vigie timeline`: from the backups, when it began and which version is the last clean one."""

from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Column

from vigie.config import load
from vigie.errors import ExitCode
from vigie.model import Snapshot
from vigie.timeline import Row, Timeline, one_machine, plan
from vigie.ui.cli import output, shown
from vigie.vault import source_of, told
from vigie.workers import Workers


@click.command()
@click.argument("source", default="vault")
@click.option("--host", metavar="NAME", help="The machine, where the backup keeps several.")
@output.options
def command(source: str, host: str | None, settings: str | None, state: str | None, as_json: bool) -> int:  # noqa: ARG001 - a common option
    """Judge every version in SOURCE, and say when it began.

    SOURCE is restic:LOCATION, or "vault" (the default): the repository of vigie.toml.
    """
    chosen = load(settings)
    with source_of(source, chosen.vault) as backup, Workers(chosen.check) as workers:
        snapshots = one_machine(backup.snapshots(), host, backup.location)
        with output.progress(shown=not as_json) as progress:
            reading = progress.add_task("snapshots", total=len(snapshots))
            judging = progress.add_task("files judged", total=None)

            def on_row(row: Row) -> None:
                progress.advance(reading)
                if as_json:
                    output.emit(_record(row))

            def on_judged(done: int, total: int) -> None:
                progress.update(judging, completed=done, total=total)

            story = told(backup, workers.judge_all, snapshots, on_row=on_row, on_judged=on_judged)
        damage = backup.damage
    lost = plan(story).lost
    if as_json:
        output.emit(
            {
                "summary": {
                    "last_clean": story.last_clean.id if story.last_clean else None,
                    "first_hit": story.first_hit.id if story.first_hit else None,
                    "affected": story.affected,
                    "unrecoverable": len(lost),
                    "snapshots": len(story.rows),
                    "damage": [f"{item.path}: {item.reason}" for item in damage],
                    "notes": list(story.notes),
                }
            }
        )
    else:
        _show(output.console(), story, len(lost), source)
        for item in damage:
            click.echo(f"the repository itself: {shown(item.path)}: {shown(item.reason)}")
    if story.first_hit:
        return ExitCode.FOUND
    return ExitCode.PARTIAL if damage or any(row.unread for row in story.rows) else ExitCode.CLEAN


def _record(row: Row) -> dict[str, object]:
    return {
        "snapshot": row.snapshot.id,
        "time": _time(row.snapshot),
        "files": row.files,
        "new": row.new,
        "changed": row.changed,
        "encrypted": row.encrypted,
        "suspect": row.suspect,
        "unread": row.unread,
    }


def _show(console: Console, story: Timeline, lost: int, source: str) -> None:
    figures = (Column(name, justify="right") for name in ("files", "new", "changed", "encrypted", "suspect"))
    table = output.table("snapshot", Column("time", no_wrap=True), *figures, Column("", no_wrap=True))
    for row in story.rows:
        mark = "last clean" if row.snapshot == story.last_clean else ""
        mark = "first hit" if row.snapshot == story.first_hit else mark
        if row.unread:
            mark = f"{mark + ', ' if mark else ''}{row.unread:,} not read"
        hit = f"[{output.COLOURS['encrypted']}]{row.encrypted:,}[/]" if row.encrypted else "0"
        counts = (f"{row.files:,}", f"{row.new:,}", f"{row.changed:,}", hit, f"{row.suspect:,}")
        table.add_row(row.snapshot.id[:8], _time(row.snapshot)[:16].replace("T", " "), *counts, mark)
    console.print(table)
    for note in story.notes:
        click.echo(f"note: {shown(note)}")
    click.echo(_sentence(story))
    if story.affected or lost:
        documents = output.counted(story.affected, "document")
        click.echo(f"{documents} affected; {lost:,} without a healthy version.")
    if story.first_hit:
        click.echo(f"Bring them back: vigie recover {shown(source)} --to DIR (to see first: --plan)")


def _sentence(story: Timeline) -> str:
    hit, clean = story.first_hit, story.last_clean
    unread = sum(row.unread > 0 for row in story.rows)
    if hit is None and unread:
        snapshots = output.counted(unread, "snapshot")
        return f"Nothing that could be read is encrypted, but {snapshots} could not be read in full."
    if hit is None:
        return "Nothing is encrypted in any snapshot."
    if clean is None and story.rows[0].snapshot != hit:
        return f"It is seen from {_time(hit)} ({hit.id[:8]}) on; what is older could not be read in full."
    if clean is None:
        return f"The oldest snapshot, {hit.id[:8]} of {_time(hit)}, is hit already: it began before."
    return f"It began between {_time(clean)} ({clean.id[:8]}, clean) and {_time(hit)} ({hit.id[:8]}, hit)."


def _time(snapshot: Snapshot) -> str:
    return datetime.fromtimestamp(snapshot.time_ns / 1e9, UTC).isoformat(timespec="seconds")
