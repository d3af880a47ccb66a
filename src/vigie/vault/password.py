"""The password of a repository, found where restic or borg itself looks; never an argument.

restic's order is kept: RESTIC_PASSWORD_COMMAND, RESTIC_PASSWORD_FILE, RESTIC_PASSWORD; and borg's:
BORG_PASSPHRASE, BORG_PASSCOMMAND, BORG_PASSPHRASE_FD (borg's manual, "Environment Variables"). Then
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
"""Bytes of a password that are read at most."""
_SECONDS = 300
"""Time a command that gives the password may take: it may ask a person."""


def password_of(settings: VaultSettings, repository: str) -> str:
    """The password of a restic repository; white space around that of a file or command is dropped.

    Raises:
        WrongPassword: none is given and nobody can be asked, or what should give it fails or gives none.
    """
    environment = os.environ
    if command := environment.get("RESTIC_PASSWORD_COMMAND"):
        return _some(_from_command("RESTIC_PASSWORD_COMMAND", command).strip(), "RESTIC_PASSWORD_COMMAND")
    if path := environment.get("RESTIC_PASSWORD_FILE"):
        return _some(_from_file(path, "RESTIC_PASSWORD_FILE").strip(), path)
    if password := environment.get("RESTIC_PASSWORD"):
        return password
    if path := settings.password_file:
        return _some(_from_file(path, "vault.password_file").strip(), path)
    return _some(_asked("password", repository, "RESTIC_PASSWORD_FILE"), "the terminal")


def passphrase_of(settings: VaultSettings, repository: str) -> str:
    """The passphrase of a borg repository, which may be empty; line ends behind it are dropped, as borg does.

    Raises:
        WrongPassword: none is given and nobody can be asked, or what should give it fails.
    """
    environment = os.environ
    if (passphrase := environment.get("BORG_PASSPHRASE")) is not None:
        return passphrase
    if command := environment.get("BORG_PASSCOMMAND"):
        return _from_command("BORG_PASSCOMMAND", command).rstrip("\r\n")
    if number := environment.get("BORG_PASSPHRASE_FD"):
        return _from_descriptor("BORG_PASSPHRASE_FD", number).rstrip("\r\n")
    if path := settings.password_file:
        return _from_file(path, "vault.password_file").rstrip("\r\n")
    return _asked("passphrase", repository, "BORG_PASSCOMMAND")


def _some(password: str, subject: str) -> str:
    if not password:
        raise WrongPassword(subject, "the password it gives is empty", "Put the password there.")
    return password


def _asked(noun: str, repository: str, variable: str) -> str:
    if not sys.stdin.isatty():
        remedy = f"Set {variable}, or vault.password_file in vigie.toml."
        raise WrongPassword(repository, f"no {noun} is given", remedy)
    return _whole(getpass.getpass(f"{noun.capitalize()} of {repository}: "), "the terminal")


def _from_command(variable: str, command: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(command),
            stdout=subprocess.PIPE,
            check=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        found = done.stdout[:_LONGEST].decode()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # UnicodeDecodeError is a ValueError. The command itself is not shown: it may hold a secret.
        problem = "the command that should give the password fails"
        raise WrongPassword(variable, problem, "Run it by hand.") from error
    return _whole(found, variable)


def _from_descriptor(variable: str, number: str) -> str:
    try:
        with open(int(number), "rb") as file:  # it is closed behind us, as borg does: it can be read once
            found = file.read(_LONGEST).decode()
    except (OSError, ValueError) as error:
        problem = "no password can be read from this descriptor"
        raise WrongPassword(variable, problem, "Open it for reading first.") from error
    return _whole(found, variable)


def _from_file(path: str, setting: str) -> str:
    try:
        with open(path, "rb") as file:
            found = file.read(_LONGEST).decode("utf-8-sig")  # restic drops the mark, too
    except OSError as error:
        problem = f"the password file cannot be read: {error.strerror}"
        raise WrongPassword(path, problem, f"Check what {setting} says.") from error
    except UnicodeDecodeError as error:
        raise WrongPassword(path, "the password file is not UTF-8 text", "Save it as UTF-8.") from error
    return _whole(found, path)


def _whole(password: str, subject: str) -> str:
    if "\0" in password:  # restic and borg get it through the environment
        problem = "the password it gives holds a zero byte"
        raise WrongPassword(subject, problem, "Save it as UTF-8 text, not as UTF-16.")
    return password
