"""What the guard says to people while it watches: one short line an event."""

import sys
from contextlib import suppress
from typing import Any

import click

from vigie.ui.cli import shown
from vigie.ui.cli.output import counted
from vigie.watch.actions import target_of, words_of
from vigie.watch.log import Emit

_STYLES = {
    "incident": "red",
    "verdict": "yellow",
    "action": "magenta",
    "overflow": "yellow",
    "trouble": "red",
}


def steady(tell: Emit) -> Emit:
    """Go on in silence when nobody reads the output any more: the journal still says it all."""
    gone = False

    def say(event: dict[str, Any]) -> None:
        nonlocal gone
        if gone:
            return
        try:
            tell(event)
        except BrokenPipeError:
            gone = True
            sys.stdout = None  # nothing is left to flush into
            with suppress(OSError):
                click.echo(
                    "vigie: nobody reads the output any more; the guard and its journal go on", err=True
                )
        except OSError:
            pass  # a log file on a full disk: the next line may fit

    return say


def tell(event: dict[str, Any]) -> None:
    """One short line for people: time, what, details."""
    name = event["event"]
    word = click.style(name, fg=_STYLES.get(name), bold=name == "incident")
    click.echo(f"{event['time'][11:19]}  {word}  {shown(_details(name, event))}")
    for reason in event["lost"] if name == "ready" else ():
        click.echo(f"          lost: {shown(reason)}")


def _details(name: str, event: dict[str, Any]) -> str:
    if name == "ready":
        how = "freezing who encrypts" if event["contain"] else "observing only"
        return f"{event['sensor']}, {how}: {', '.join(event['paths'])}"
    if name == "baseline":
        return f"{event['files']} files, {event['judged']} judged in {event['seconds']} s"
    if name == "verdict":
        return f"{event['verdict']}: {event['path']} ({who(event['actor'])}): {'; '.join(event['evidence'])}"
    if name == "incident":
        return f"{event['id']}: {event['reason']}; {who(event['actor'])}"
    if name == "action":
        until = f", until {event['expires']}" if event["expires"] else ""
        return f"{event['kind']} {words_of(target_of(event))}: {event['outcome']}{until}"
    if name == "stopped":
        left = ", ".join(str(process["pid"]) for process in event["frozen"])
        return counted(event["incidents"], "incident") + (
            f"; still frozen: {left} (`vigie release ID`)" if left else ""
        )
    if name == "trouble":
        return f"{event['what']}: {event['problem'] or 'works again'} {event['remedy']}"
    return str(event.get("reason") or ", ".join(event.get("filesystems") or event.get("paths") or ()))


def who(actor: dict[str, Any] | None) -> str:
    """An actor in a few words."""
    if actor is None:
        return "actor unknown"
    words = [actor["executable"], f"pid {actor['pid']}"]
    if client := actor.get("client"):
        named = (client["user"] and f"user {client['user']}", client["machine"], client["share"])
        words[:0] = [f"SMB client {client['address']}", *filter(None, named)]
    words += [f"{what} {actor[what]}" for what in ("user", "unit") if actor.get(what)]
    if container := actor.get("container"):
        words.append(f"in container {container[:12]}")  # as Docker and Podman show ids
    return ", ".join(words)
