"""`vigie guard --replay`: what the detector would decide now, from the journal alone."""

from contextlib import closing
from pathlib import Path

import click

from vigie.config import Settings
from vigie.errors import ExitCode, JournalBroken
from vigie.journal import Journal
from vigie.ui.cli import shown
from vigie.ui.cli.guard.tell import who
from vigie.ui.cli.output import counted, emit
from vigie.watch.detector import Detector, Opened
from vigie.watch.log import actor_record, timestamp
from vigie.watch.replay import KINDS, replay
from vigie.watch.response import new_id
from vigie.watch.rules.all import all_rules


def told_again(chosen: Settings, state: Path, *, as_json: bool) -> ExitCode:
    """Print every incident that today's settings and rules make of the journal's facts.

    Raises:
        JournalBroken: a row is no fact.
    """
    detector = Detector(chosen.guard.encrypted_files, chosen.guard.window, new_id, all_rules())
    acting = telling = 0
    with Journal(state) as journal, closing(journal.rows(*KINDS)) as rows:
        try:
            for row, decision in replay(rows, detector):
                if not isinstance(decision, Opened):
                    continue
                incident = decision.incident
                acting, telling = acting + incident.acts, telling + (not incident.acts)
                record = {
                    "row": row.id,
                    "time": timestamp(incident.time_ns),
                    "acts": incident.acts,
                    "reason": incident.reason,
                    "files": list(incident.files),
                    "count": incident.count,
                    "actor": actor_record(incident.actor),
                }
                if as_json:
                    emit(record)
                else:
                    word, colour = ("act ", "red") if incident.acts else ("tell", "yellow")
                    told = f"{incident.reason}; {who(actor_record(incident.actor))} (row {row.id})"
                    click.echo(f"{record['time']}  {click.style(word, fg=colour)}  {shown(told)}")
        except ValueError as error:
            remedy = "Verify it: vigie journal verify"
            raise JournalBroken(str(state), f"a fact cannot be read: {error}", remedy) from error
    if as_json:
        emit({"summary": {"acting": acting, "telling": telling}})
    else:
        click.echo(f"{counted(acting, 'incident')} that would be acted on, {telling} that would be told.")
    return ExitCode.FOUND if acting else ExitCode.CLEAN
