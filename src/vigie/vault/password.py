"""The password of the repository: from restic's environment, a file, or a prompt; never an argument.

restic's order is kept: RESTIC_PASSWORD_COMMAND, RESTIC_PASSWORD_FILE, RESTIC_PASSWORD; then
`vault.password_file` of vigie.toml, then the terminal.
"""

import getpass
import os
import shlex
import subprocess
import sys

from vigie.config import VaultSettings
from vigie.errors import WrongPassword

_LONGEST = 64 * 1024
"""Bytes of a password file that are read at most."""
_SECONDS = 300
"""Time RESTIC_PASSWORD_COMMAND may take: it may ask a person."""


def password_of(settings: VaultSettings, repository: str) -> str:
    """The password, found or asked for; white space around that of a file or command is dropped.

    Raises:
        WrongPassword: none is given and nobody can be asked, or what should give it fails.
    """
    environment = os.environ
    if command := environment.get("RESTIC_PASSWORD_COMMAND"):
        return _given(_from_command(command), "RESTIC_PASSWORD_COMMAND")
    if path := environment.get("RESTIC_PASSWORD_FILE"):
        return _given(_from_file(path, "RESTIC_PASSWORD_FILE"), path)
    if password := environment.get("RESTIC_PASSWORD"):
        return password
    if path := settings.password_file:
        return _given(_from_file(path, "vault.password_file"), path)
    if sys.stdin.isatty():
        return _given(getpass.getpass(f"Password of {repository}: "), "the terminal")
    raise WrongPassword(
        repository,
        "no password is given",
        "Set RESTIC_PASSWORD_FILE, or vault.password_file in vigie.toml.",
    )


def _given(password: str, subject: str) -> str:
    if not password:
        raise WrongPassword(subject, "the password it gives is empty", "Put the password there.")
    if "\0" in password:  # restic gets it through the environment
        problem = "the password it gives holds a zero byte"
        raise WrongPassword(subject, problem, "Save it as UTF-8 text, not as UTF-16.")
    return password


def _from_file(path: str, setting: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST).decode("utf-8-sig").strip()  # as restic, which drops the mark
    except OSError as error:
        problem = f"the password file cannot be read: {error.strerror}"
        raise WrongPassword(path, problem, f"Check what {setting} says.") from error
    except UnicodeDecodeError as error:
        raise WrongPassword(path, "the password file is not UTF-8 text", "Save it as UTF-8.") from error


def _from_command(command: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(command),
            stdout=subprocess.PIPE,
            check=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout[:_LONGEST].decode().strip()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # UnicodeDecodeError is a ValueError. The command itself is not shown: it may hold a secret.
        raise WrongPassword(
            "RESTIC_PASSWORD_COMMAND", "the command that should give the password fails", "Run it by hand."
        ) from error
