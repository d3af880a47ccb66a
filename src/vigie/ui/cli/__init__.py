"""The command line: one file a command, imported only when it is called: `vigie --help` is instant."""

import errno
import importlib
import io
import os
import sys
from typing import Any, NoReturn

import click

from vigie import __version__
from vigie.errors import ExitCode, VigieError
from vigie.ui.printable import printable

COMMANDS = {
    "check": "Judge files and folders: intact, encrypted, damaged or unknown, and why.",
    "timeline": "Say from the backups when it began, and which version of each file is the last clean one.",
    "recover": "Restore the last clean version of each file, judged again, never over an existing file.",
    "guard": "Watch folders live, name who encrypts them and, with --contain, freeze it.",
    "incidents": "Say what happened: who did what to which files, and what Vigie did.",
    "release": "Undo every action of an incident.",
    "vault": "Keep versions in a plain restic repository: init, keep, list, verify, restore.",
    "journal": "Show and verify the hash-chained record of what happened.",
    "drill": "Rehearse the whole chain on an invented practice, timed.",
}
"""Every command with its one line of help; each is the function `command` of the module of that name."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class _ReaderGone(Exception):
    """The reader of our output went away, as `head` does. click would end with 1, which means a finding."""


class _Lazy(click.Group):
    """Knows every command by name, and imports one only when it runs (or its own help is asked for)."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"vigie.ui.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake of ours, found by the tests
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vigie")
def vigie() -> None:
    """Vigie keeps health data alive through a ransomware attack.

    Exit codes: 0 nothing found, 1 something found, 2 could not do it, 3 did it in part.
    """


def main() -> NoReturn:
    """Run one command, and turn every `VigieError` into what happened, a remedy and an exit code."""
    _streams()
    try:
        code = vigie.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = ExitCode.FAILED
    except click.Abort:
        click.echo("vigie: interrupted", err=True)
        code = 130  # what a shell reports for SIGINT
    except VigieError as error:
        click.echo(f"vigie: {shown(str(error))}\n       {shown(error.remedy)}", err=True)
        code = error.exit_code
    except _ReaderGone:
        code = ExitCode.PARTIAL
        sys.stdout = None  # nothing is left to flush into
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        click.echo("vigie: there is no room left where the output or a temporary file goes", err=True)
        code = ExitCode.FAILED
        sys.stdout = None  # what could not be written is not tried again at the exit
    sys.exit(int(code or 0))


def _streams() -> None:
    """Standard streams that can be written to, whatever we were started with."""
    # Closed ones (`>&-`) are opened on nothing, or the next file opened would take their number.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as we run
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that is not UTF-8 gets escapes for what it cannot show.
            stream.reconfigure(errors="backslashreplace")


def shown(text: str) -> str:
    """A text for people, on one line."""
    return printable(text)
