"""The driver of the stock restic program: runs it, reads what it says as a stream, and ends it gently.

The repository and its password go through the environment, never through arguments, which every user of the
machine can read. restic runs in a process group of its own: Ctrl-C reaches Vigie, which passes it on and
waits until restic has taken its lock away. Should Vigie be killed, the kernel tells restic (PR_SET_PDEATHSIG,
through setpriv(1) of util-linux); a lock it then leaves is that of a dead run, and the next one removes it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Self

from vigie.errors import MissingProgram, RepositoryLocked
from vigie.sources.restic.location import shown
from vigie.vault.complaint import complaint

OLDEST = (0, 14)
"""The first version with repository format 2."""

_OURS = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE")
"""What restic would read the password or the repository from; it gets both from us."""
_LONGEST_LINE = 1 << 20
_MOST_TEXT = 256 << 20
"""Bytes of standard output that are read where all of it is wanted at once."""
_MOST_COMPLAINTS = 500
"""Lines of standard error that are kept, the last ones."""
_GRACE = 60.0
"""Seconds restic may take to end after SIGINT: it finishes the upload under way and removes its lock."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a run of restic gave."""

    code: int
    text: str
    """Standard output, where it was not handed on line by line."""
    said: str
    """The last lines of standard error."""


@dataclass(frozen=True, slots=True)
class Restic:
    """The restic program, for one repository."""

    program: tuple[str, ...]
    repository: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def at(cls, program: str, repository: str, state: Path) -> Self:
        """The program for a repository, without its password yet; its cache goes below the state folder.

        Raises:
            MissingProgram: it is not there, or too old.
        """
        found = shutil.which(program)
        if found is None:
            raise MissingProgram(program, "there is no such program", "apt-get install restic")
        _check_version(found)
        environment = {name: value for name, value in os.environ.items() if name not in _OURS} | {
            "RESTIC_REPOSITORY": repository,
            "RESTIC_CACHE_DIR": str(state / "restic-cache"),
            "RESTIC_PROGRESS_FPS": "4",
        }
        setpriv = shutil.which("setpriv")
        gently = (setpriv, "--pdeathsig", "INT", "--") if setpriv else ()
        return cls((*gently, found), repository, environment)

    def with_password(self, password: str) -> Self:
        """The same, with the password of the repository."""
        return replace(self, environment={**self.environment, "RESTIC_PASSWORD": password})

    @property
    def name(self) -> str:
        """The repository as it may be shown: without a password in its address."""
        return shown(self.repository)

    @property
    def cache(self) -> str:
        """The folder restic caches in."""
        return self.environment["RESTIC_CACHE_DIR"]

    def run(
        self,
        *arguments: str,
        on_line: Callable[[str], None] | None = None,
        on_complaint: Callable[[str], None] | None = None,
        fine: Collection[int] = (0,),
    ) -> Output:
        """Run restic to its end; `on_line` gets each line of standard output as it comes.

        `on_complaint` gets those of standard error, in another thread. A lock that a dead run of this machine
        left behind is removed (`restic unlock` removes no other), once.

        Raises:
            VigieError: its exit code is not among `fine`; the class says why (`vigie.vault.complaint`).
        """
        output = self._run(arguments, on_line, on_complaint)
        if output.code not in fine:
            error = complaint(self.name, output.code, output.said)
            if not isinstance(error, RepositoryLocked) or self._run(("unlock",), None, None).code:
                raise error
            output = self._run(arguments, on_line, on_complaint)
            if output.code not in fine:
                raise complaint(self.name, output.code, output.said)
        return output

    def _run(
        self,
        arguments: tuple[str, ...],
        on_line: Callable[[str], None] | None,
        on_complaint: Callable[[str], None] | None,
    ) -> Output:
        with _running((*self.program, *arguments), self.environment) as (child, out, errors):
            listener = _Listener(errors, on_complaint)
            listener.start()
            text = b""
            if on_line is None:
                text = out.read(_MOST_TEXT)
            else:
                for line in _lines(out):
                    on_line(line)
            code = child.wait()
            listener.join()
        return Output(code, text.decode(errors="replace"), "\n".join(listener.said))


def message(line: str) -> dict[str, Any] | None:
    """The JSON object on a line of restic's output, or None where there is none."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _Listener(threading.Thread):
    """Reads standard error meanwhile, so that restic never waits for us."""

    def __init__(self, stream: IO[bytes], on_complaint: Callable[[str], None] | None) -> None:
        super().__init__(daemon=True)
        self.said: deque[str] = deque(maxlen=_MOST_COMPLAINTS)
        self._stream = stream
        self._on_complaint = on_complaint

    def run(self) -> None:
        for line in _lines(self._stream):
            self.said.append(line)
            if self._on_complaint is not None:
                self._on_complaint(line)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    # surrogateescape: a complaint may name a file whose name is not UTF-8.
    for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
        yield line.decode(errors="surrogateescape").rstrip("\n")


@contextmanager
def _running(
    command: tuple[str, ...], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """The process and what it says; when we are interrupted or ended, so is it, and waited for."""
    with (
        _end_is_interrupt(),
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as child,
    ):
        assert child.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        assert child.stderr is not None  # noqa: S101 - same
        try:
            yield child, child.stdout, child.stderr
        except BaseException:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(_GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
            raise


@contextmanager
def _end_is_interrupt() -> Iterator[None]:
    """Meanwhile, SIGTERM is taken as Ctrl-C is, so that restic is not left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_version(program: str) -> None:
    try:
        said = subprocess.run((program, "version"), capture_output=True, timeout=30, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingProgram(program, f"it does not run: {error}", "apt-get install restic") from error
    found = re.match(rb"restic v?(\d+)\.(\d+)", said)
    if not found:
        raise MissingProgram(program, "this is not restic", "Set vault.restic in vigie.toml.")
    version = (int(found[1]), int(found[2]))
    if version < OLDEST:
        problem = f"version {version[0]}.{version[1]} is too old: 0.14 or newer is needed"
        raise MissingProgram(program, problem, "apt-get install restic")
