"""Verdicts on healthy files that nobody tuned for: not one may be *encrypted*.

The machine's own files, the shared corpus, the benign twins, and made files until there are enough. Files of
one inode count once, and so do files of the same bytes.
"""

import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import corpus
import twins
from attack import in_memory
from samples import SMALL, drawn

from vigie.config import CheckSettings
from vigie.model import Entry, Skipped, State, Verdict
from vigie.sources.folder import FolderEntry, walk
from vigie.workers import Workers

FOLDERS = ("/usr", "/etc", "/var/lib", "/opt", "/home", "/srv", str(corpus.CORPUS))
EDGE = 64 << 10
"""Bytes at each end of a file by which two files are told apart, besides their size."""


@dataclass(slots=True)
class Health:
    """What came out."""

    states: Counter[State] = field(default_factory=Counter)
    formats: Counter[tuple[str, State]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    named: list[tuple[State, str, str, str]] = field(default_factory=list)
    """Every one that is encrypted or damaged: its verdict, path, format and evidence."""
    skipped: int = 0
    twice: int = 0
    """Files met again under another name: not counted."""
    bytes: int = 0
    seconds: float = 0.0
    missing: list[str] = field(default_factory=list)
    """Benign twins that no program here makes."""

    def add(self, source: str, path: str, size: int, verdict: Verdict) -> None:
        """Count one verdict."""
        self.states[verdict.state] += 1
        self.formats[verdict.format or "none known", verdict.state] += 1
        self.sources[source] += 1
        self.bytes += size
        if verdict.state in (State.ENCRYPTED, State.DAMAGED):
            self.named.append((verdict.state, path, verdict.format or "", verdict.evidence[0]))
        elif verdict.state is State.UNKNOWN:
            self.unknown[os.path.splitext(path)[1].lower() or "(no ending)"] += 1


def measured(
    folders: Sequence[str], settings: CheckSettings, said: Callable[[str], None], *, wanted: int, seed: int
) -> Health:
    """Judge what is below `folders`, the twins, and made files until `wanted` distinct ones were judged."""
    health, seen = Health(), _Seen()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vigie-benchmark-") as made, Workers(settings) as workers:
        health.missing = twins.write(Path(made))
        present = (folder for folder in folders if os.path.isdir(folder))
        for source, targets in (*((_called(f), [f]) for f in present), ("benign twins", [made])):
            for item, verdict in workers.judge_all(seen.new(walk(targets, one_filesystem=True))):
                if isinstance(item, Entry) and verdict.state is not State.SKIPPED:
                    health.add(source, item.path, item.size, verdict)
                else:
                    health.skipped += 1
            said(f"{source}: {health.sources[source]:,} files")
        lacking = wanted - health.states.total()
        for item, verdict in workers.judge_all(_invented(lacking, seed)):
            assert isinstance(item, Entry)
            health.add("made here", item.path, item.size, verdict)
    health.twice = seen.twice
    health.seconds = time.monotonic() - begun
    return health


def _called(folder: str) -> str:
    return "the shared corpus" if folder == str(corpus.CORPUS) else folder


class _Seen:
    """Lets each content pass once."""

    def __init__(self) -> None:
        self.inodes: set[tuple[int, int]] = set()
        self.contents: set[bytes] = set()
        self.twice = 0

    def new(self, items: Iterator[Entry | Skipped]) -> Iterator[Entry | Skipped]:
        for item in items:
            if not isinstance(item, FolderEntry) or self._is_new(item):
                yield item
            else:
                self.twice += 1

    def _is_new(self, item: FolderEntry) -> bool:
        if (item.dev, item.ino) in self.inodes:
            return False
        self.inodes.add((item.dev, item.ino))
        try:
            with open(item.path, "rb", buffering=0) as file:
                content = file.read(EDGE)
                if item.size > EDGE:
                    file.seek(max(EDGE, item.size - EDGE))
                    content += file.read(EDGE)
        except OSError:
            return True
        digest = hashlib.blake2b(content + item.size.to_bytes(8), digest_size=12).digest()
        if digest in self.contents:
            return False
        self.contents.add(digest)
        return True


def _invented(count: int, seed: int) -> Iterator[Entry]:
    """`count` small files of every kind in turn, each of its own seed, made when its turn comes."""
    makers = [made for made in corpus.MADE if made[0] not in SLOW]
    for number in range(count):
        kind, ending, make = makers[number % len(makers)]
        dice = Random(f"{seed} healthy {number}")
        data = make(dice, drawn(dice, SMALL))
        yield Entry(f"{kind} {number}.{ending}", len(data), 0, partial(in_memory, data))


SLOW = ("docx", "dicom, RLE", "pdf, scanned", "xz", "fhir", "eml", "cda")
"""Kinds that take more than some milliseconds to make."""
