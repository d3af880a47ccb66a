"""The passphrase of a borg repository, as borg itself finds it; never an argument.

borg's order is kept: BORG_PASSPHRASE, BORG_PASSCOMMAND, BORG_PASSPHRASE_FD (borg's manual,
"Environment Variables"); then `vault.password_file` of vigie.toml, then the terminal.
"""

import getpass
import os
import shlex
import subprocess
import sys

from vigie.config import VaultSettings
from vigie.errors import WrongPassword

_LONGEST = 64 * 1024
"""Bytes of a passphrase that are read at most."""
_SECONDS = 300
"""Time BORG_PASSCOMMAND may take: it may ask a person."""


def passphrase_of(settings: VaultSettings, repository: str) -> str:
    """The passphrase, found or asked for; line ends behind it are dropped, as borg does.

    Raises:
        WrongPassword: none is given and nobody can be asked, or what should give it fails.
    """
    environment = os.environ
    if (passphrase := environment.get("BORG_PASSPHRASE")) is not None:
        return passphrase
    if command := environment.get("BORG_PASSCOMMAND"):
        return _usable(_from_command(command), "BORG_PASSCOMMAND")
    if number := environment.get("BORG_PASSPHRASE_FD"):
        return _usable(_from_descriptor(number), "BORG_PASSPHRASE_FD")
    if path := settings.password_file:
        return _usable(_from_file(path), path)
    if sys.stdin.isatty():
        return _usable(getpass.getpass(f"Passphrase of {repository}: "), "the terminal")
    raise WrongPassword(
        repository,
        "no passphrase is given",
        "Set BORG_PASSCOMMAND, or vault.password_file in vigie.toml.",
    )


def _usable(passphrase: str, subject: str) -> str:
    if "\0" in passphrase:  # borg gets it through the environment
        problem = "the passphrase it gives holds a zero byte"
        raise WrongPassword(subject, problem, "Save it as UTF-8 text, not as UTF-16.")
    return passphrase.rstrip("\r\n")


def _from_command(command: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(command),
            stdout=subprocess.PIPE,
            check=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout[:_LONGEST].decode()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # UnicodeDecodeError is a ValueError. The command itself is not shown: it may hold a secret.
        raise WrongPassword(
            "BORG_PASSCOMMAND", "the command that should give the passphrase fails", "Run it by hand."
        ) from error


def _from_descriptor(number: str) -> str:
    try:
        with open(int(number), "rb") as file:  # it is closed behind us, as borg does: it can be read once
            return file.read(_LONGEST).decode()
    except (OSError, ValueError) as error:
        problem = "no passphrase can be read from this descriptor"
        raise WrongPassword("BORG_PASSPHRASE_FD", problem, "Open it for reading first.") from error


def _from_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST).decode("utf-8-sig")
    except OSError as error:
        problem = f"the password file cannot be read: {error.strerror}"
        raise WrongPassword(path, problem, "Check what vault.password_file says.") from error
    except UnicodeDecodeError as error:
        raise WrongPassword(path, "the password file is not UTF-8 text", "Save it as UTF-8.") from error
