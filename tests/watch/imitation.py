"""A harmless imitation of an attack: spoils only the files that this very run has made.

`python imitation.py FOLDER COUNT PATTERN`: makes FOLDER (which must not exist), marks it, writes COUNT small
texts there, says "ready", waits for "go" on standard input, then overwrites its texts, one after the other,
as fast as it can. Patterns: `inplace` (and renamed), `tail` (all but the head), `forked` (a process each),
`stranger` (a random copy under another name, then the text is deleted), `slow` (in place, every 0.2 s).
"""

import os
import sys
import time
from pathlib import Path

SIZE = 12 * 1024
MARK = "imitation.mark"


def main(folder: Path, count: int, pattern: str) -> None:
    folder.mkdir()
    (folder / MARK).write_text("made by tests/watch/imitation.py\n")
    made = {}
    for number in range(count):
        path = folder / f"report-{number:05}.txt"
        line = f"Patient {number}: haemoglobin 13.{number % 10} g/dl, all is well.\n"
        path.write_text(line * (SIZE // len(line)))
        made[path] = path.stat().st_ino
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.readline() != "go\n" or not (folder / MARK).is_file():
        return
    for path, inode in made.items():
        status = path.lstat()
        if status.st_ino == inode:  # only what this run made
            spoil(path, status.st_size, pattern)


def spoil(path: Path, size: int, pattern: str) -> None:
    if pattern == "forked":
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
    if pattern == "stranger":
        path.with_name(os.urandom(8).hex()).write_bytes(os.urandom(size))
        path.unlink()
        return
    start = 8192 if pattern == "tail" else 0
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    os.pwrite(descriptor, os.urandom(size - start), start)
    os.close(descriptor)
    if pattern == "inplace":
        path.rename(path.with_name(path.name + ".locked"))
    if pattern == "slow":
        time.sleep(0.2)
    if pattern == "forked":
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
