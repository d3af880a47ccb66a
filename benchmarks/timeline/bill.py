"""What it cost: seconds, memory of the whole process tree, and bytes read of the repository.

Bytes are counted by the kernel's own account of each call (strace), in a run of its own that is not timed.
Each read of a pack is laid beside the repository's index, which restic prints, so that the bytes of trees,
of files' contents and of what a file of each kind is made of can be told apart.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from building import Built
from keepers import environment, restic
from ledger import Truth

FOUND = (0, 1, 3)
"""Exit codes of `vigie`: nothing found, something found, done in part."""
EVERY = 0.25
"""Seconds between two looks at the memory."""
CODED = ("jpeg", "dicom, JPEG", "dicom, transcoded", "pdf, scanned")
"""Kinds whose bytes look random to begin with: the JPEG-heavy part, stated apart."""
_TICKS = os.sysconf("SC_CLK_TCK")
_CALL = re.compile(r"(pread64|preadv2?|readv?)\(\d+<([^>]*)>, .*?(?:, (\d+))?\) = (\d+)$")
_MAPPED = re.compile(r"mmap\([^,]+, (\d+), .*, \d+<([^>]*)>, .*\) = 0x")
_READ = "trace=read,pread64,readv,preadv,preadv2,mmap"


@dataclass(frozen=True, slots=True)
class Bill:
    """One command, timed and watched."""

    seconds: float
    processor: float
    """Seconds of processor time, of all of them."""
    memory: int
    """Bytes at the peak, of the process and all below it; what they share counts once (PSS)."""
    code: int


@dataclass(slots=True)
class Reads:
    """Bytes read of a repository."""

    stored: Counter[str] = field(default_factory=Counter)
    """Bytes of it on the disk, by folder (data, index, snapshots, …)."""
    read: Counter[str] = field(default_factory=Counter)
    """Bytes read of each folder."""
    packs: Counter[str] = field(default_factory=Counter)
    """Of the packs, bytes stored there of trees, of coded kinds, of other kinds, of pieces of large files."""
    of: Counter[str] = field(default_factory=Counter)
    """The same of the bytes read."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Bytes read of contents, by kind."""

    @property
    def share(self) -> float:
        """Of the bytes of the packs, those that were read."""
        return self.read["data"] / max(1, self.stored["data"])

    def part(self, name: str) -> float:
        """Of the bytes of one part of the packs, those that were read."""
        return self.of[name] / max(1, self.packs[name])


def vigie(*words: str) -> list[str]:
    """A command line of the program of this environment."""
    return [sys.executable, "-m", "vigie", *words]


def measured(
    command: Sequence[str], out: Path, *, fine: tuple[int, ...] = (0,), limit: float | None = None
) -> Bill:
    """Run it to its end, what it says to `out`; for `limit` seconds at most.

    Raises:
        subprocess.CalledProcessError: its exit code is not among the `fine` ones.
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    with open(out, "wb") as said:
        begun = time.monotonic()
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL, env=environment())
        watcher = _Watcher(child.pid)
        watcher.start()
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait()
            raise
        finally:
            seconds = time.monotonic() - begun
            watcher.done.set()
            watcher.join()
    if code not in fine:
        raise subprocess.CalledProcessError(code, list(command))
    return Bill(seconds, sum(watcher.spent.values()), watcher.peak, code)


class _Watcher(threading.Thread):
    """Looks at a process and all below it, again and again.

    Processor time is that of the processes themselves as last seen: what a worker spent that nobody waited
    for is in no account of its parent.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.peak = 0
        self.spent: dict[int, float] = {}
        self._root = root

    def run(self) -> None:
        while not self.done.wait(EVERY):
            pids = list(_tree(self._root))
            self.peak = max(self.peak, sum(_memory(pid) for pid in pids))
            for pid in pids:
                self.spent[pid] = max(_spent(pid), self.spent.get(pid, 0.0))


def _tree(root: int) -> Iterator[int]:
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        for task in _listed(f"/proc/{pid}/task"):
            waiting.extend(int(word) for word in _text(f"/proc/{pid}/task/{task}/children").split())


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""  # it has just ended


def _spent(pid: int) -> float:
    """Processor seconds of one process, without its children (proc(5), fields 14 and 15 of stat)."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else 0.0


def _memory(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", _text(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def traced(command: Sequence[str], built: Built, truth: Truth) -> Reads:
    """Run it once more, and count what it reads of the repository.

    Raises:
        FileNotFoundError: strace is not installed.
    """
    reads = Reads()
    for folder, _, names in os.walk(built.repository):
        kind = Path(folder).relative_to(built.repository).parts[:1] or ("",)
        reads.stored[kind[0]] += sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    table = _Table(built, truth)
    reads.packs.update(table.stored)
    with tempfile.TemporaryDirectory() as folder:
        tracer = (
            "strace",
            "-ff",
            "--seccomp-bpf",
            "-y",
            "-s",
            "0",
            "-qqq",
            "-e",
            _READ,
            "-o",
            f"{folder}/calls",
        )
        subprocess.run(
            (*tracer, *command),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as calls:
                for path, offset, length in _calls(calls):
                    _book(reads, table, built, path, offset, length)
    return reads


def _calls(lines: Iterator[str]) -> Iterator[tuple[str, int | None, int]]:
    """(path, offset where the call names it, bytes) of each call."""
    for line in lines:
        if found := _CALL.search(line.rstrip()):
            offset = int(found[3]) if found[1] == "pread64" and found[3] else None
            yield found[2], offset, int(found[4])
        elif found := _MAPPED.search(line):
            yield found[2], None, int(found[1])


def _book(reads: Reads, table: "_Table", built: Built, path: str, offset: int | None, length: int) -> None:
    root = f"{built.repository}/"
    if not path.startswith(root):
        return
    folder, _, rest = path[len(root) :].partition("/")
    reads.read[folder] += length
    if folder == "data":
        for part, kind, count in table.parts(os.path.basename(rest), offset, length):
            reads.of[part] += count
            reads.kinds[kind] += count


class _Table:
    """What lies where in the packs: from the index, as restic itself prints it, and the truth."""

    def __init__(self, built: Built, truth: Truth) -> None:
        kinds = {one.digest: document.kind for document in truth.documents for one in document.contents}
        self.stored: Counter[str] = Counter()
        self._packs: dict[str, list[tuple[int, int, str, str]]] = defaultdict(list)
        for name in restic(built.repository, "list", "index").split():
            for pack in json.loads(restic(built.repository, "cat", "index", name))["packs"]:
                for blob in pack["blobs"]:
                    kind = "tree" if blob["type"] == "tree" else kinds.get(blob["id"][:16], "pieces")
                    part = "coded" if kind in CODED else kind if kind in ("tree", "pieces") else "other"
                    self.stored[part] += blob["length"]
                    self._packs[pack["id"]].append((blob["offset"], blob["length"], part, kind))
        for blobs in self._packs.values():
            blobs.sort()

    def parts(self, pack: str, offset: int | None, length: int) -> Iterator[tuple[str, str, int]]:
        """(part, kind, bytes) of a read."""
        blobs = self._packs.get(pack, [])
        if offset is None or not blobs:
            yield "header", "header", length
            return
        end, left = offset + length, length
        first = max(0, bisect_right(blobs, (offset, 1 << 62, "", "")) - 1)
        for start, size, part, kind in blobs[first:]:
            if start >= end:
                break
            count = min(end, start + size) - max(offset, start)
            if count > 0:
                left -= count
                yield part, kind, count
        if left:
            yield "header", "header", left
