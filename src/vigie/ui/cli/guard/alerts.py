"""`vigie guard alerts`: send one test message to everybody who would be told, and say who got it."""

import socket
import time

import click

from vigie.config import load
from vigie.errors import BadSettings, ExitCode
from vigie.ui.cli import shown
from vigie.ui.cli.guard.tellers import sinks_of
from vigie.ui.cli.output import console, emit, table
from vigie.watch.alerts.limits import Message
from vigie.watch.alerts.people import through_apprise, urls_of
from vigie.watch.alerts.words import text
from vigie.watch.log import timestamp


@click.command(name="alerts")
@click.option("--settings", metavar="FILE", help="vigie.toml to use (else VIGIE_SETTINGS, ./, /etc/vigie).")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on standard output.")
def command(as_json: bool, settings: str | None) -> ExitCode:
    """Send one test message to everybody whom `[guard.alerts]` names.

    Exit codes: 0 all got it, 2 somebody did not.
    """
    chosen = load(settings)
    told, host = chosen.guard.alerts, socket.gethostname()
    event = {"event": "test", "time": timestamp(time.time_ns())}
    outcomes: dict[str, str] = {}
    if told.urls_file:
        for number, url in enumerate(urls_of(told.urls_file), 1):
            send = through_apprise([url])
            failed = send(*text(Message("test", (event,)), told.language, host, told.contact))
            outcomes[f"{told.urls_file}, address {number}"] = "it was refused" if failed else ""
    for sink in sinks_of(chosen, host):
        try:
            sink.write(event)
        except OSError as error:
            outcomes[sink.name] = error.strerror or str(error)
        else:
            outcomes[sink.name] = ""
        finally:
            sink.close()
    if not outcomes:
        raise BadSettings("guard.alerts", "nobody is to be told", "Set `urls_file`, `syslog` or `ecs_file`.")
    failures = list(map(bool, outcomes.values()))
    if as_json:
        for name, problem in outcomes.items():
            emit({"to": name, "sent": not problem, "problem": problem})
        emit(
            {
                "summary": {
                    "sent": sum(not p for p in outcomes.values()),
                    "failed": sum(map(bool, outcomes.values())),
                }
            }
        )
    else:
        rows = table("to", "outcome")
        for name, problem in outcomes.items():
            rows.add_row(shown(name), shown(problem) if problem else "sent")
        console().print(rows)
    return ExitCode.FAILED if any(failures) else ExitCode.CLEAN
