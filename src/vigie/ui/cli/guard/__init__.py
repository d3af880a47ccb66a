"""`vigie guard`: watches PATHS; what belongs to it besides has a name of its own."""

import importlib

import click

COMMANDS = {
    "alerts": "Send a test message to everybody who would be told.",
    "install": "Have systemd keep it running, with no more rights than it needs.",
    "status": "Say whether it watches, what it sees and what is open.",
    "decoys": "Place, list and remove files that nobody has a reason to touch.",
}
"""Names of a command each, in the module of that name, and what it does. A folder called so is `./name`."""


class _Guard(click.Group):
    """`vigie guard PATH…` is `watch`, which needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and args[0] in COMMANDS
        return super().parse_args(ctx, args if named else ["watch", *args])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        command = importlib.import_module(f"vigie.ui.cli.guard.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake of ours, found by the tests
        return command


command = _Guard("guard", help="Watch folders live.", add_help_option=False)
