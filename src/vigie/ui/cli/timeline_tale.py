"""What `vigie timeline` found, for people: a table, and sentences."""

from collections.abc import Iterable

import click
from rich.console import Console
from rich.table import Column, Table

from vigie.model import Snapshot
from vigie.timeline import Affected, Caution, Oddity, Timeline, Wave, short
from vigie.ui.cli import output, shown
from vigie.ui.cli.timeline_record import Findings, when

_NAMED = 5
"""Notes, endings and the like that are named one by one."""


def show(console: Console, found: Findings, source: str) -> None:
    """The table of snapshots, and in sentences what it means."""
    story = found.story
    console.print(_table(story))
    for note in story.notes:
        click.echo(f"note: {shown(note)}")
    click.echo(_sentence(story))
    for number, wave in enumerate(found.attack.waves, 1):
        click.echo(_told(wave, f"wave {number}" if len(found.attack.waves) > 1 else "seen"))
    for left in found.attack.notes[:_NAMED]:
        click.echo(f"left behind: {shown(left.name)} in {left.folders:,} folders ({shown(left.example)})")
    if story.affected or found.lost:
        documents = output.counted(story.affected, "document")
        never = f"{found.attack.never_hit:,} never hit"
        click.echo(f"{documents} affected; {never}; {found.lost:,} without a healthy version.")
    for caution in found.cautions:
        click.secho(f"before you forget any snapshot: {_warned(caution)}", fg="red")
    settled = found.effort.settled
    click.echo(
        f"{settled[1]:,} versions told by the lists, {settled[2]:,} by their first piece, {settled[3]:,} "
        f"by all of it: {output.size(found.effort.read)} read."
    )
    for item in found.damage:
        click.echo(f"the source itself: {shown(item.path)}: {shown(item.reason)}")
    if story.first_hit:
        click.echo(f"Bring them back: vigie recover {shown(source)} --to DIR (to see first: --plan)")


def _table(story: Timeline) -> Table:
    names = ("files", "new", "changed", "encrypted", "suspect")
    figures = (Column(name, justify="right", no_wrap=True) for name in names)
    # The name of a folder may be long: it alone gives way, and none of it is left out.
    folded = Column("snapshot", overflow="fold", min_width=8)
    table = output.table(folded, Column("time", no_wrap=True), *figures, Column("", no_wrap=True))
    table.padding = (0, 1, 0, 0)
    for row in story.rows:
        mark = "last clean" if row.snapshot == story.last_clean else ""
        mark = "first hit" if row.snapshot == story.first_hit else mark
        if row.unread:
            mark = f"{mark + ', ' if mark else ''}{row.unread:,} not read"
        hit = f"[{output.COLOURS['encrypted']}]{row.encrypted:,}[/]" if row.encrypted else "0"
        counts = (f"{row.files:,}", f"{row.new:,}", f"{row.changed:,}", hit, f"{row.suspect:,}")
        table.add_row(_id(row.snapshot), when(row.snapshot.time_ns)[:16].replace("T", " "), *counts, mark)
    return table


def _told(wave: Wave, what: str) -> str:
    span = _id(wave.first) if wave.first == wave.last else f"{_id(wave.first)} to {_id(wave.last)}"
    slow = ", a few at a time" if wave.slow else ""
    text = f"{what}: {output.counted(wave.files, 'file')} in {wave.folders:,} folders, {span}{slow}"
    if wave.endings:
        named = ", ".join(f"{shown(ending)} ({count:,})" for ending, count in wave.endings[:_NAMED])
        text += f"; added to names: {named}"
    if wave.earliest:
        text += f"; first by its time stamp: {shown(wave.earliest.path)}, {when(wave.earliest.mtime_ns)}"
    return text


def _warned(caution: Caution) -> str:
    names = _ids(caution.snapshots)
    return {
        Oddity.FUTURE: f"{names}: dated later than now",
        Oddity.BEFORE_ITS_FILES: f"{names}: dated before the files in it were written",
        Oddity.BURST: f"{names}: {len(caution.snapshots)} snapshots within an hour",
        Oddity.TINY: f"{names}: only {caution.files:,} files, far fewer than before",
        Oddity.NEEDED: f"{names} would go, with the last clean version of "
        f"{output.counted(caution.files, 'document')}",
    }[caution.oddity]


def line(item: Affected) -> str:
    """One document that was hit."""
    clean = f"clean in {_id(item.clean)}" if item.clean else "no clean version"
    now = "" if item.now == item.document.path else f", now {shown(item.now)}" if item.now else ", gone"
    doubt = "" if item.sure else " (not seen encrypted)"
    return f"{shown(item.document.path)}: hit in {_id(item.hit)}{now}, {clean}{doubt}"


def _sentence(story: Timeline) -> str:
    hit, clean = story.first_hit, story.last_clean
    unread = sum(row.unread > 0 for row in story.rows)
    if hit is None and unread:
        snapshots = output.counted(unread, "snapshot")
        return f"Nothing that could be read is encrypted, but {snapshots} could not be read in full."
    if hit is None:
        return "Nothing is encrypted in any snapshot."
    late = f"{when(hit.time_ns)} ({_id(hit)}"
    if clean is None and story.rows[0].snapshot != hit:
        return f"It is seen from {late}) on; what is older could not be read in full."
    if clean is None:
        return f"The oldest snapshot, of {late}), is hit already: it began before."
    told = f"It began between {when(clean.time_ns)} ({_id(clean)}, clean) and {late}, hit)."
    if story.already:
        files = output.counted(story.already, "file")
        told += f" {files} in the former came encrypted, when first backed up: no backup has them otherwise."
    return told


def _id(snapshot: Snapshot) -> str:
    return shown(short(snapshot))


def _ids(snapshots: Iterable[Snapshot]) -> str:
    named = list(snapshots)
    more = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
    return ", ".join(map(_id, named[:_NAMED])) + more
