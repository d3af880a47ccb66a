"""What earlier runs learnt of a backup, so that a run costs what changed since.

Two things are remembered, and both are functions of nothing but what they are kept under:

- what the judge answered about a piece: its bytes (by their content address), its name, and the version
  before that it was compared with;
- what differs from one tree to another.

What else a verdict rests on (that a list only presumes it, that others of its kind are encrypted, that the
same snapshot shows an attack) is thought through again each time: it costs little, and one more snapshot may
change it. So a timeline is the same with memory and without. With `full` it is, too: what is known of a first
piece never answers for the whole.

Memory makes a run faster and nothing else. Whatever is wrong with the store is said once, and the run goes on
without it; a row that does not check is as good as none. What was read and verified once is not read again
only to see whether it still can be: that is what `restic check` is for.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, Self, runtime_checkable

from vigie import config
from vigie.errors import VigieError
from vigie.journal.judged import GENERATION
from vigie.journal.recalled import Pair, Recalled
from vigie.model import Entry, Gone, Likeness, Skipped, Snapshot, Source, Verdict, Version
from vigie.vault import notes
from vigie.vault.stages import Before, JudgeAll, Piece
from vigie.workers import wire

FORM = 1
"""Raised by one with every change of what is written here, or of what a source gives as a first piece."""
BATCH = 1000
"""Answers that are written at once."""
PATIENCE = 2.0
"""Seconds to wait for another run that is writing."""
_DAY = 86_400

Item = Version | Skipped | Gone
_Keys = tuple[bytes, ...]


class _Answer(NamedTuple):
    """What the judge said of a piece."""

    size: int
    """Bytes of the piece."""
    first: bool
    """Whether it was read as a first piece, which may have been all there is."""
    verdict: Verdict


@runtime_checkable
class Notable(Protocol):
    """A source with trees by content address, whose changes can be told again from notes."""

    def root(self, snapshot: Snapshot) -> str:
        """The id of the snapshot's topmost tree."""
        ...

    def noted(self, snapshot: Snapshot, path: str, mtime_ns: int, chunks: bytes) -> Version | Skipped:
        """What `changes` gave for this file, if its pieces are still there."""
        ...

    @property
    def troubled(self) -> bool:
        """Whether something in the trees could not be read so far."""
        ...


class Recall:
    """Knows nothing until it is opened. `problem` says why it knows nothing, for people."""

    def __init__(self) -> None:
        self.problem = ""
        self.answered = 0
        """Pieces that need not be read, because an earlier run did."""
        self._store: Recalled | None = None
        self._answers: list[tuple[bytes, bytes]] = []
        self._changes: list[tuple[Pair, list[bytes]]] = []
        self._trouble = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            with suppress(VigieError):
                self._store.close()
            self._store = None

    def open(self, state: str | None) -> None:
        """Use the store of this state folder, or of the default one."""
        try:
            self._store = Recalled(config.state_folder(state), int(time.time()) // _DAY)
            self._store.wait_at_most(PATIENCE)
        except (VigieError, RuntimeError) as error:  # RuntimeError: this user has no home (pathlib)
            self._give_up(error)

    def changes(self, source: Source, before: Snapshot | None, after: Snapshot) -> Iterable[Item]:
        """What `source.changes` gives.

        Once something in the source cannot be read, nothing of it is believed or noted any more: what is
        troubled must be told each time, and only trees that are read can tell it.
        """
        if self._store is None or self._trouble or not isinstance(source, Notable):
            return source.changes(before, after)
        pair = Pair(source.root(before) if before else "", source.root(after))
        try:
            items: list[Item] | None = _told(self._store.changes(pair), pair, source, after)
        except VigieError as error:
            self._give_up(error)
            items = None
        if items is not None:
            return items
        items = list(source.changes(before, after))
        known = [item for item in items if not isinstance(item, Skipped)]
        self._trouble = source.troubled or len(known) < len(items)
        if not self._trouble:
            with suppress(ValueError):
                self._changes.append((pair, notes.written(known, _label(pair))))
        return items

    def judging(self, judge_all: JudgeAll) -> JudgeAll:
        """The judge, asked only what it was not asked before."""

        def judge(
            entries: Iterable[Entry | Skipped], /, before: Before | None = None
        ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
            if self._store is None:
                yield from judge_all(entries, before)
                return
            entries = list(entries)
            keys = [_keys(entry, before) for entry in entries]
            known = self._known(entries, keys)
            unknown = (entry for entry, answer in zip(entries, known, strict=True) if answer is None)
            fresh = judge_all(unknown, before)
            for entry, key, answer in zip(entries, keys, known, strict=True):
                if answer is not None:
                    self.answered += 1
                    yield entry, answer
                    continue
                said = next(fresh, None)
                if said is None:
                    return
                self._learn(entry, key, said[1])
                yield said

        return judge

    def write(self, source: Source) -> None:
        """Keep what was learnt so far, however the run may end."""
        changes, self._changes = self._changes, []
        self._write(changes, source.location)

    def done(self, source: Source) -> None:
        """The run is through: drop what belongs to snapshots that the source has no more, and what is old."""
        self.write(source)
        roots: set[str] = set()
        if isinstance(source, Notable):
            roots.update(map(source.root, source.snapshots()))
        try:
            if self._store is not None:
                self._store.tidy(source.location, roots)
        except VigieError as error:
            self._give_up(error)

    def _known(self, entries: Sequence[Entry | Skipped], keys: Sequence[_Keys]) -> list[Verdict | None]:
        """What was answered about each, and its piece told how long it is."""
        found: dict[bytes, bytes] = {}
        try:
            if self._store is not None:
                found = self._store.answers([key for several in keys for key in several])
        except VigieError as error:
            self._give_up(error)
        known: list[Verdict | None] = []
        for entry, several in zip(entries, keys, strict=True):
            answer = next((answer for key in several if (answer := _answer(key, found.get(key)))), None)
            piece = entry.open if isinstance(entry, Entry) else None
            if answer is None or not isinstance(piece, Piece) or answer.size > piece.size:
                known.append(None)
                continue
            if piece.head and not answer.first:
                known.append(None)
                continue
            piece.size = answer.size
            known.append(answer.verdict)
        return known

    def _learn(self, entry: Entry | Skipped, keys: _Keys, verdict: Verdict) -> None:
        """Remember an answer, unless it is one on our own troubles, or of no content that has a name."""
        piece = entry.open if isinstance(entry, Entry) else None
        if self._store is None or not keys or not isinstance(piece, Piece) or verdict.likeness is None:
            return
        key = keys[-1] if piece.read == piece.version.entry.size else keys[0]
        self._answers.append((key, _said(key, _Answer(piece.size, piece.head, verdict))))
        if len(self._answers) >= BATCH:
            self._write([], "")

    def _write(self, changes: Sequence[tuple[Pair, Sequence[bytes]]], place: str) -> None:
        answers, self._answers = self._answers, []
        try:
            if self._store is not None and (answers or changes):
                self._store.remember(answers, changes, place)
        except VigieError as error:
            self._give_up(error)

    def _give_up(self, error: VigieError | RuntimeError) -> None:
        self.problem = str(error)
        if self._store is not None:
            with suppress(VigieError):
                self._store.close()
        self._store = None
        self._answers.clear()
        self._changes.clear()


def _told(parts: Sequence[bytes], pair: Pair, source: Notable, after: Snapshot) -> list[Item] | None:
    """What differs, from notes; None where they do not check, or a piece of a file is there no more."""
    items: list[Item] = []
    try:
        for path, mtime_ns, chunks in notes.read(parts, _label(pair)):
            item = Gone(path) if chunks is None else source.noted(after, path, mtime_ns, chunks)
            if isinstance(item, Skipped):
                return None
            items.append(item)
    except ValueError:
        return None
    return items if parts else None


def _label(pair: Pair) -> str:
    return f"{FORM} {pair.before} {pair.after}"


def _keys(entry: Entry | Skipped, before: Before | None) -> _Keys:
    """What the answer about a piece depends on, and for a first piece, that about all of the file, too.

    None for what has no content address: it may change.
    """
    piece = entry.open if isinstance(entry, Entry) else None
    if not isinstance(piece, Piece) or not piece.version.content:
        return ()
    path = piece.version.entry.path
    was = before(path) if before else None
    # The judge is given the end of a path. Everything is written so that no two things look the same.
    parts = (GENERATION, FORM, piece.version.content, path[-wire.NAME :], _form(was))
    whole = hashlib.blake2b(repr(parts).encode(), digest_size=32)
    if not piece.head:
        return (whole.digest(),)
    head = whole.copy()
    head.update(b"head")
    return head.digest(), whole.digest()


def _form(was: Likeness | None) -> tuple[object, ...]:
    if was is None:
        return ()
    return was.state.value, was.format, was.size, was.random_share, was.map


def _said(key: bytes, answer: _Answer) -> bytes:
    return notes.seal(b"%d %d " % answer[:2] + wire.verdict(answer.verdict), key)


def _answer(key: bytes, said: bytes | None) -> _Answer | None:
    """The answer in a row, if it is one of ours."""
    if said is None:
        return None
    try:
        size, first, verdict = notes.opened(said, key).split(b" ", 2)
        [found] = wire.read_reply(wire.reply([verdict]))
        return _Answer(int(size), first == b"1", found)
    except ValueError:
        return None
