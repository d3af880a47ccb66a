"""The stock borg program, run to read: the passphrase through the environment, nothing but JSON believed.

borg's own variables work as they do for borg (BORG_KEY_FILE, BORG_KEYS_DIR …), except those that would lead
it away from the shadow. It writes nowhere else: its cache, configuration and security folders are there too.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any, Self

from vigie.errors import MissingProgram, NotPermitted, RepositoryDamaged, VigieError, WrongPassword
from vigie.sources.borg.shadow import Shadow

_MOST_TEXT = 256 << 20
"""Bytes of standard output that are read where all of it is wanted at once."""
_MOST_COMPLAINT = 1 << 20
"""Bytes of standard error that are looked at."""
_LONGEST = 500
"""Characters of borg's own words that are shown."""
_INSTALL = "apt-get install borgbackup"

_DROPPED = re.compile(
    r"BORG_(REPO|PASS\w*|NEW_PASS\w*|BASE_DIR|\w*CACHE\w*|CONFIG_DIR|SECURITY_DIR|LOGGING_CONF)"
)

_KEY_TROUBLE = {
    "PassphraseWrong": "Check BORG_PASSPHRASE, BORG_PASSCOMMAND or vault.password_file.",
    "PasswordRetriesExceeded": "Check BORG_PASSPHRASE, BORG_PASSCOMMAND or vault.password_file.",
    "KeyfileNotFoundError": "Its key is a file: set BORG_KEY_FILE, or BORG_KEYS_DIR to the folder of it.",
    "KeyfileInvalidError": "Its key file is damaged: set BORG_KEY_FILE to a copy (borg key export).",
    "KeyfileMismatchError": "The key file is of another repository: set BORG_KEY_FILE to its own.",
}


class Run:
    """A run of borg under way: what it prints, and afterwards how it ended."""

    def __init__(self, child: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        assert child.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        self.out: IO[bytes] = child.stdout
        self._child = child
        self._said = said

    def ended(self) -> bool:
        """Wait for its end; whether all went well (1 is a warning: that a pattern did not match, say)."""
        return self._child.wait() in (0, 1)

    def said(self) -> tuple[str, str]:
        """Name and words of the last error that it reported on standard error."""
        self._said.seek(0)
        name = words = ""
        for line in self._said.read(_MOST_COMPLAINT).decode(errors="replace").splitlines():
            message = _message(line)
            if message.get("levelname") in ("ERROR", "CRITICAL"):
                name = str(message.get("msgid") or "")
                lines = [text for text in str(message.get("message")).splitlines() if text.strip()]
                # Of a traceback the error itself is what tells, not where it came from.
                told = [text for text in lines if re.match(r"[\w.]*(Error|NotFound)\b", text)]
                words = (told or lines or [""])[-1].strip()
        return name, words[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Borg:
    """The borg program, for one shadow."""

    program: str
    name: str
    """The repository, as it may be shown."""
    shadow: Shadow
    environment: Mapping[str, str] = field(repr=False)
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held by the run under way: the shadow must not change underneath it."""

    @classmethod
    def at(cls, name: str, shadow: Shadow) -> Self:
        """The program for a repository, with an empty passphrase.

        Raises:
            MissingProgram: it is not there, or not borg 1.1 to 1.4.
        """
        program = _found()
        environment = {key: value for key, value in os.environ.items() if not _DROPPED.fullmatch(key)}
        environment.setdefault("BORG_KEYS_DIR", _keys_folder())
        environment |= {
            "BORG_BASE_DIR": shadow.home,
            "BORG_CACHE_DIR": os.path.join(shadow.home, "cache"),
            "BORG_CONFIG_DIR": os.path.join(shadow.home, "config"),
            "BORG_SECURITY_DIR": os.path.join(shadow.home, "security"),
            # The shadow is where borg never saw the repository, and borg shall not ask.
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_EXIT_CODES": "legacy",
            "BORG_PASSPHRASE": "",
            "LC_ALL": "C.UTF-8",  # or names that are not ASCII do not survive
            "TZ": "UTC",  # or it shows times in that of this machine, without saying so
        }
        return cls(program, name, shadow, environment)

    def with_passphrase(self, passphrase: str) -> Self:
        """The same, with the passphrase of the repository's key."""
        return replace(self, environment={**self.environment, "BORG_PASSPHRASE": passphrase})

    @property
    def repository(self) -> str:
        """The repository as borg is told it."""
        return self.shadow.path

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Run]:
        """Run borg on the repository as it is now; what is left of it when the block is left is ended.

        Raises:
            NotPermitted, RepositoryDamaged: the repository is no longer there.
        """
        with self.turn:
            self.shadow.follow()
            with self._started(arguments) as run:
                yield run

    @contextmanager
    def _started(self, arguments: tuple[str, ...]) -> Iterator[Run]:
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                (self.program, "--log-json", *arguments),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                process_group=0,  # Ctrl-C is ours: we end it below
            ) as child,
        ):
            try:
                yield Run(child, said)
            finally:
                if child.poll() is None:
                    child.send_signal(signal.SIGKILL)  # it holds nothing but the shadow

    def json(self, *arguments: str) -> dict[str, Any]:
        """The JSON object that a run of borg prints.

        Raises:
            WrongPassword, NotPermitted, RepositoryDamaged: as borg says.
        """
        with self.running(*arguments) as run:
            text = run.out.read(_MOST_TEXT)
            run.out.close()
            if not run.ended():
                raise self.complaint(run)
        found = _message(text.decode(errors="replace"))
        if not found:
            raise RepositoryDamaged(self.name, "borg lists it in a way that cannot be read", _INSTALL)
        return found

    def complaint(self, run: Run) -> VigieError:
        """What borg reported, as the error a user can do something about."""
        name, words = run.said()
        if name in _KEY_TROUBLE:
            return WrongPassword(self.name, words, _KEY_TROUBLE[name])
        if "PermissionError" in words:
            return NotPermitted(self.name, words, "Run as its owner, or root.")
        remedy = "Keep a copy of it as it is, then see borg's manual: borg check."
        return RepositoryDamaged(self.name, words or "borg gave up without a word", remedy)


def _message(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _keys_folder() -> str:
    """Where borg looks for key files (borg/helpers/fs.py, get_keys_dir): they stay where they are."""
    if config := os.environ.get("BORG_CONFIG_DIR"):
        return os.path.join(config, "keys")
    if base := os.environ.get("BORG_BASE_DIR"):
        return os.path.join(base, ".config", "borg", "keys")
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "borg", "keys")


def _found() -> str:
    program = shutil.which("borg")
    if program is None:
        raise MissingProgram("borg", "there is no such program", _INSTALL)
    try:
        said = subprocess.run((program, "--version"), capture_output=True, timeout=30, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingProgram(program, f"it does not run: {error}", _INSTALL) from error
    version = re.match(rb"borg (\d+)\.(\d+)", said)
    if version is None:
        raise MissingProgram(program, "this is not borg", _INSTALL)
    if int(version[1]) != 1 or int(version[2]) < 1:
        shown = version[0].decode()
        raise MissingProgram(program, f"this is {shown}: 1.1 to 1.4 is needed", _INSTALL)
    return program
