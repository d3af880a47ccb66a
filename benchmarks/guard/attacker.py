"""A harmless imitation of an attack: spoils only the files that this very run has made.

`python attacker.py FOLDER COUNT PATTERN RATE`: makes FOLDER (which must not exist), marks it, writes COUNT
small texts there, says "ready", waits for "go", then spoils its texts, RATE a second (0: as fast as it can).
"""

import base64
import mmap
import os
import sys
import time
from pathlib import Path

PATTERNS = {
    "inplace": "in place",
    "rename": "written beside, renamed over it",
    "copy": "copied, then deleted",
    "mmap": "through mmap",
    "header": "first 4 KiB",
    "intermittent": "16 bytes of 32",
    "parallel": "four processes share the work",
    "forked": "one process a file",
    "mtimes": "times put back",
    "base64": "base64",
}
SIZE = 12 * 1024
MARK = "imitation.mark"


def text(number: int) -> bytes:
    """What stands in a file before."""
    line = f"Patient {number}: haemoglobin 13.{number % 10} g/dl, all is well.\n"
    return (line * (SIZE // len(line))).encode()


def name(number: int) -> str:
    """How it is called."""
    return f"report-{number:05}.txt"


def main(folder: Path, count: int, pattern: str, rate: float) -> None:
    """Make, wait, spoil."""
    folder.mkdir()
    (folder / MARK).write_text("made by benchmarks/guard/attacker.py\n")
    made = {}
    for number in range(count):
        path = folder / name(number)
        path.write_bytes(text(number))
        made[path] = path.stat().st_ino
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.readline() != "go\n" or not (folder / MARK).is_file():
        return
    if pattern != "parallel":
        run(made, pattern, rate)
        return
    items = list(made.items())
    for share in range(4):
        if os.fork() == 0:
            run(dict(items[share::4]), "inplace", rate / 4)
            os._exit(0)
    for _ in range(4):
        os.wait()


def run(made: dict[Path, int], pattern: str, rate: float) -> None:
    """Spoil one after the other."""
    began = time.monotonic()
    for number, (path, inode) in enumerate(made.items()):
        if rate and (wait := began + number / rate - time.monotonic()) > 0:
            time.sleep(wait)
        status = path.lstat()
        if status.st_ino == inode:  # only what this run made
            spoil(path, status, pattern)


def spoil(path: Path, status: os.stat_result, pattern: str) -> None:
    """Overwrite one file."""
    size = status.st_size
    if pattern == "forked":
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        spoil(path, status, "inplace")
        os._exit(0)
    if pattern in ("rename", "copy"):
        other = path.with_name(path.name + ".locked")
        other.write_bytes(os.urandom(size))
        if pattern == "copy":
            path.unlink()
        else:
            other.rename(path)
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    if pattern == "mmap":
        with mmap.mmap(descriptor, size) as view:
            view[:] = os.urandom(size)
    elif pattern == "header":
        os.pwrite(descriptor, os.urandom(4096), 0)
    elif pattern == "intermittent":
        data = bytearray(os.pread(descriptor, size, 0))
        for at in range(0, size - 16, 32):
            data[at : at + 16] = os.urandom(16)
        os.pwrite(descriptor, data, 0)
    elif pattern == "base64":
        os.pwrite(descriptor, base64.b64encode(os.urandom(size))[:size], 0)
    else:
        os.pwrite(descriptor, os.urandom(size), 0)
    os.close(descriptor)
    if pattern == "mtimes":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


if __name__ == "__main__":
    if os.fork():  # nobody who measures stands above the attack
        os._exit(0)
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
