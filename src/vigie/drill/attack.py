"""The harmless imitation of ransomware, for drills: it spoils files of an invented practice, no others.

What it can do: overwrite a file with random bytes (`os.urandom`), in whole or in part; give it a longer name
in the same folder, or a spoilt copy in its place; put its modification time back; leave a note that says it
is a drill. What it cannot do, because no line of it does: encrypt or decrypt (there is no key: what it
overwrites is gone), reach another folder, a network or another program, stay, or gain a privilege.

What it refuses: it starts only in a real folder of this user that carries the drill's marker for that very
folder, with the token given on the command line (exit code 2 otherwise). Inside, it touches a file only if
the marker lists its path with its device, inode and time, if it is a regular file of this user with one
single name, and if it opens without following a link. Everything else it passes by, and counts. It keeps
nothing on disk and handles no signal: SIGSTOP holds it and SIGKILL ends it between any two writes.

`python -m vigie.drill.attack FOLDER --token TOKEN [--pattern NAME] [--rate FILES_PER_S] [--limit FILES]`
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from vigie.drill.playground import NotAPlayground, Playground, entered, ours

SUFFIX = ".locked"
NOTE = "README_VIGIE_DRILL.txt"
_NOTE_TEXT = (
    "Ceci est un exercice Vigie : des fichiers inventés ont été recouverts d'octets aléatoires.\n"
    "Aucune donnée réelle n'est touchée, rien n'a été copié, aucune rançon n'est demandée.\n\n"
    "This is a Vigie drill: invented files were overwritten with random bytes.\n"
    "No real data is touched, nothing was copied, no ransom is asked.\n"
).encode()
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Victim:
    """An open file that passed every check, and where it lies."""

    descriptor: int
    parent: int
    name: str
    size: int
    times: tuple[int, int]
    """Access and modification time, nanoseconds."""


def _noise(descriptor: int, start: int, end: int) -> None:
    for offset in range(start, end, _PIECE):
        os.pwrite(descriptor, os.urandom(min(_PIECE, end - offset)), offset)


def full(victim: Victim) -> None:
    """The whole file, in place."""
    _noise(victim.descriptor, 0, victim.size)


def locked(victim: Victim) -> None:
    """The whole file, then a longer name."""
    full(victim)
    _longer_name(victim)


def header(victim: Victim) -> None:
    """The first 4 KiB (LockBit 2.0)."""
    _noise(victim.descriptor, 0, min(4096, victim.size))


def _every(victim: Victim, on: int, off: int) -> None:
    for start in range(0, victim.size, _PIECE // (on + off) * (on + off)):
        piece = bytearray(os.pread(victim.descriptor, _PIECE // (on + off) * (on + off), start))
        noise = os.urandom(len(piece))
        for at in range(0, len(piece), on + off):
            piece[at : at + on] = noise[at : at + on]
        os.pwrite(victim.descriptor, piece, start)


def intermittent(victim: Victim) -> None:
    """64 bytes on, 128 off (Black Basta)."""
    _every(victim, 64, 128)


def fine(victim: Victim) -> None:
    """16 bytes on, 16 off (LockFile)."""
    _every(victim, 16, 16)


def chunks(victim: Victim) -> None:
    """Three chunks: head, middle, tail (Play)."""
    length = max(4096, victim.size // 10)
    for start in (0, victim.size // 2, max(0, victim.size - length)):
        _noise(victim.descriptor, start, min(start + length, victim.size))


def copied(victim: Victim) -> None:
    """A spoilt copy under a longer name, then the original deleted."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(victim.name + SUFFIX, flags, 0o600, dir_fd=victim.parent)
    try:
        _noise(copy, 0, victim.size)
    finally:
        os.close(copy)
    # By name, as there is no other way: between the check and here, only this same user could have put
    # another file in its place.
    os.unlink(victim.name, dir_fd=victim.parent)


def backdated(victim: Victim) -> None:
    """The whole file, and its modification time put back."""
    full(victim)
    os.utime(victim.descriptor, ns=victim.times)


def _longer_name(victim: Victim) -> None:
    # rename() would replace what has that name: a file that already stands there is left alone.
    target = victim.name + SUFFIX
    try:
        os.stat(target, dir_fd=victim.parent, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(victim.name, target, src_dir_fd=victim.parent, dst_dir_fd=victim.parent)


PATTERNS: dict[str, Callable[[Victim], None]] = {
    "full": full,
    "locked": locked,
    "header": header,
    "intermittent": intermittent,
    "fine": fine,
    "chunks": chunks,
    "copied": copied,
    "backdated": backdated,
}


@dataclass(slots=True)
class Tally:
    """What was done so far."""

    hit: int = 0
    passed: int = 0
    """Files that a check did not let through."""


def _allowed(parent: int, name: str, playground: Playground, path: str) -> Victim | None:
    """The file, open, if every check lets it through. The caller closes it."""
    expected = playground.files.get(path)
    if expected is None:
        return None
    try:
        # Looked at before it is opened: opening a device or a pipe can have effects of its own.
        if not ours(os.stat(name, dir_fd=parent, follow_symlinks=False), expected):
            return None
        descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if not ours(status, expected):
        os.close(descriptor)
        return None
    return Victim(descriptor, parent, name, status.st_size, (status.st_atime_ns, status.st_mtime_ns))


def _leave_note(parent: int) -> None:
    try:
        note = os.open(NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
    except FileExistsError:
        return
    with open(note, "wb") as file:
        file.write(_NOTE_TEXT)


def _walk(root: int, playground: Playground) -> Iterator[Victim | None]:
    for place, _, names, parent in os.fwalk(".", dir_fd=root, follow_symlinks=False):
        noted = False
        for name in names:
            victim = _allowed(parent, name, playground, os.path.normpath(os.path.join(place, name)))
            if victim and not noted:
                _leave_note(parent)
                noted = True
            yield victim


def attack(folder: Path, token: str, *, pattern: str = "mixed", rate: float = 0, limit: int = 0) -> Tally:
    """Spoil the listed files in the order of `os.walk`: `rate` a second, at most `limit` (0: no bound).

    `pattern` is a key of `PATTERNS`, or "mixed": each file the next one.

    Raises:
        NotAPlayground: the folder is not one that this may work in.
    """
    tally = Tally()
    methods = cycle(PATTERNS.values() if pattern == "mixed" else (PATTERNS[pattern],))
    with entered(folder, token) as (root, playground):
        start = time.monotonic()
        for victim in _walk(root, playground):
            if victim is None:
                tally.passed += 1
                continue
            try:
                next(methods)(victim)
            except FileExistsError:
                # The longer name is taken: somebody else's file stays, and so does this one.
                tally.passed += 1
                continue
            finally:
                os.close(victim.descriptor)
            tally.hit += 1
            if tally.hit == limit:
                break
            if rate:
                time.sleep(max(0.0, start + tally.hit / rate - time.monotonic()))
    return tally


def main(arguments: list[str] | None = None) -> int:
    """The process: 0 when done, 2 when refused."""
    parser = argparse.ArgumentParser(
        prog="python -m vigie.drill.attack", description="Harmless imitation, for drills"
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--token", required=True)
    parser.add_argument("--pattern", choices=("mixed", *PATTERNS), default="mixed")
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        tally = attack(
            options.folder, options.token, pattern=options.pattern, rate=options.rate, limit=options.limit
        )
    except NotAPlayground as refusal:
        sys.stderr.write(f"refused: {refusal}\n{refusal.remedy}\n")
        return int(refusal.exit_code)
    seconds = round(time.monotonic() - start, 3)
    sys.stdout.write(json.dumps({"hit": tally.hit, "passed": tally.passed, "seconds": seconds}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
