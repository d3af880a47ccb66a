"""Recover: hand back the planned version of every file, each judged again from what was written.

A file is written beside its place, brought to the disk, read back, compared and judged; only then it gets its
name, and only when name and bytes are on the disk it is reported. What stands there already is left alone: a
run that was cut short is simply started again.

Files go in batches, and three things happen at once: a thread reads the backup ahead (`fetch`), another has
the last batch judged, and this one writes the next.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from vigie.errors import NotPermitted, Unreadable, VigieError
from vigie.model import Entry, Judge, Likeness, OpenBlob, Skipped, Source, State, Verdict
from vigie.sources.file import FileBlob, in_words
from vigie.timeline import Choice, Lost, Plan, Why
from vigie.timeline.urgency import NEAREST, Step
from vigie.vault.batch import Batch, Item, content_of, stamp
from vigie.vault.destination import Destination, Place, Refused, Taken, digest, dress, write
from vigie.vault.fetch import Fetch, Piece
from vigie.vault.folders import Folders
from vigie.vault.handed import Handed, Outcome, Recovery, named
from vigie.vault.manifest import Manifest, Record
from vigie.vault.stages import JudgeAll

__all__ = ["Handed", "Outcome", "Recovery", "hand_back", "recover"]

_SMALL = 8 << 20
"""Bytes up to which a file is kept in memory: to compare costs a tenth of a second SHA-256."""
_AT_ONCE = 64
"""Files that are read back side by side."""
_CAME = "another file came there meanwhile: left alone"


def recover(plan: Plan, source: Source, judge: Judge, destination: Destination) -> Iterator[Handed]:
    """Hand back the files of a plan in path order, judged one by one, without a manifest.

    Raises:
        DiskFull: as for `hand_back`.
    """
    steps = (Step("", plan.choices),)
    return hand_back(steps, plan.lost, source, _one_by_one(judge), destination)


def hand_back(
    steps: Iterable[Step],
    lost: Iterable[Lost],
    source: Source,
    judge_all: JudgeAll,
    destination: Destination,
    *,
    manifest: Manifest | None = None,
    nearest: bool = False,
    limit: int = 0,
    on_bytes: Callable[[int], None] | None = None,
) -> Iterator[Handed]:
    """Hand back the files of the steps, in their order; then name what is lost.

    A file goes under its whole old path below the destination: `/srv/a.pdf` to `DIR/srv/a.pdf`. With a
    manifest, what an earlier run handed back is recognised without being read. With `nearest`, a document
    that turns out to be damaged in every version is handed back under a name that says so. `limit` is the
    bytes a second that are read from the source, 0 for as many as can be; `on_bytes` is told how many more
    are dealt with.

    Raises:
        DiskFull: there is no room left; what was given so far is complete.
    """
    run = _Run(source, judge_all, destination, manifest, on_bytes or (lambda _: None), nearest=nearest)
    yield from run.all_of(steps, limit)
    group = [named(item) for item in lost]
    if manifest is not None and group:
        manifest.add_all(handed.record() for handed in group)
    yield from group


class _Run:
    """One pass over all steps."""

    def __init__(
        self,
        source: Source,
        judge_all: JudgeAll,
        destination: Destination,
        manifest: Manifest | None,
        on_bytes: Callable[[int], None],
        *,
        nearest: bool,
    ) -> None:
        self._source = source
        self._judge_all = judge_all
        self._destination = destination
        self._manifest = manifest
        self._records: Mapping[str, Record] = manifest.records if manifest else {}
        self._on_bytes = on_bytes
        self._nearest = nearest
        self._folders = Folders(source)
        self._batch = Batch()
        self._previous: Batch | None = None
        self._begun: Item | None = None
        """The one whose bytes are coming in."""
        self._again: list[Item] = []
        """Older versions of what was rejected."""

    def all_of(self, steps: Iterable[Step], limit: int) -> Iterator[Handed]:
        yield from self._pass((Item(choice, step.name) for step in steps for choice in step.choices), limit)
        while self._again:
            again, self._again = self._again, []
            yield from self._pass(again, limit)
        try:
            self._folders.dress(self._destination)
            self._destination.sync()
        except OSError as error:
            raise _failing(self._destination, error) from error

    def _pass(self, wanted: Iterable[Item], limit: int) -> Iterator[Handed]:
        items = (self._looked_at(item) for item in wanted)
        failed: VigieError | None = None
        with ThreadPoolExecutor(1, "judge") as judging, Fetch(self._source, items, limit) as fetch:
            try:
                try:
                    for piece in fetch:
                        self._take(piece)
                        if self._batch.is_full:
                            yield from self._turn(judging)
                except VigieError as error:
                    # The disk is full, most likely. What is whole is handed over all the same.
                    failed = error
                yield from self._turn(judging)
                yield from self._turn(judging)
            except OSError as error:
                raise self._destination.fatal(error) or _failing(self._destination, error) from error
            finally:
                self._clear_away()
        if failed is not None:
            raise failed

    # In the thread that reads ahead.

    def _looked_at(self, item: Item) -> Item:
        """Say what must be read for an item, from what stands in its place already."""
        try:
            place = item.place = self._destination.place(item.target, folders=self._folders.mode)
            there = self._destination.look(place)
            known = self._records.get(item.target) if there else None
            if known is not None and (older := _older_one(item.choice, known)):
                item.choice = older
            version = item.choice.version
            if there is None:
                item.wanted = version
            elif known is not None and known.content == content_of(version):
                self._recognise(item, place, there, known)
            elif there.st_size != version.entry.size:
                item.settle(Outcome.EXISTS, "another file is there: left alone")
            else:
                item.compare, item.wanted = True, version
        except Refused as error:
            item.settle(Outcome.REFUSED, error.reason)
        return item

    def _recognise(self, item: Item, place: Place, there: os.stat_result, known: Record) -> None:
        same = stamp(there)
        if same != known.stamp:
            if self._destination.digest(place) != known.sha256:
                item.settle(Outcome.EXISTS, "it was changed since it was handed back: left alone")
                return
            item.stamp = same
        item.sha256 = known.sha256
        item.settle(Outcome.ALREADY, item.choice.note, State(known.verdict))

    # In the caller's thread.

    def _take(self, piece: Piece[Item]) -> None:
        item = self._begun = piece.job
        if item.handed is None:
            try:
                self._write(item, piece)
            except Refused as error:
                item.settle(Outcome.REFUSED, error.reason)
            except OSError as error:
                self._drop(item)
                if fatal := self._destination.fatal(error):
                    raise fatal from error
                item.settle(Outcome.REFUSED, in_words(error))
        self._on_bytes(len(piece.data))
        if piece.last:
            self._on_bytes(item.choice.version.entry.size - item.given if not piece.trouble else 0)
            self._batch.add(item)
            self._begun = None

    def _write(self, item: Item, piece: Piece[Item]) -> None:
        assert item.place is not None  # noqa: S101 - else it would be settled
        if not item.compare and item.fd < 0:
            item.fd = self._destination.draft(item.place)
        item.given += len(piece.data)
        item.sum.update(piece.data)
        if not item.compare:
            write(item.fd, piece.data)
            item.keep(piece.data, _SMALL)
        if not piece.last:
            return
        if piece.trouble:
            self._drop(item)
            item.settle(Outcome.UNREADABLE, piece.trouble)
            return
        item.sha256 = item.sum.hexdigest()
        if item.compare:
            if self._destination.digest(item.place) != item.sha256:
                item.settle(Outcome.EXISTS, "another file is there: left alone")
            return
        dress(item.fd, self._source.attributes(item.choice.version))
        fd, item.fd = item.fd, -1
        os.close(fd)

    def _turn(self, judging: ThreadPoolExecutor) -> Iterator[Handed]:
        """Bring the batch to the disk, and hand over the one before it."""
        batch, previous = self._batch, self._previous
        self._batch, self._previous = Batch(), batch
        batch.to_judge = batch.open_items()
        batch.judged = judging.submit(self._judge, batch.to_judge)
        if previous is not None:
            self._publish(previous)
        self._sync(batch)
        if previous is not None:
            yield from [item.handed for item in previous.items if item.handed and not item.again]
        self._read_back(batch)

    def _sync(self, batch: Batch) -> None:
        """Wait for the disk: for what this batch wrote, and for the names of the one before."""
        try:
            self._destination.sync()
        except OSError:
            # Somebody's file could not be written, perhaps none of ours: each is asked for.
            for item in batch.open_items():
                if item.place is None or item.compare:
                    continue
                try:
                    fd = self._destination.open(item.place, draft=True)
                    try:
                        os.fsync(fd)
                    finally:
                        os.close(fd)
                except OSError as error:
                    self._drop(item)
                    item.settle(Outcome.REFUSED, in_words(error))

    def _read_back(self, batch: Batch) -> None:
        """Compare each draft with what was to be written."""
        drafts = [item for item in batch.open_items() if not item.compare]
        for start in range(0, len(drafts), _AT_ONCE):
            opened: list[tuple[Item, int]] = []
            try:
                for item in drafts[start : start + _AT_ONCE]:
                    assert item.place is not None  # noqa: S101 - it was written
                    try:
                        opened.append((item, self._destination.open(item.place, draft=True)))
                    except OSError as error:
                        item.settle(Outcome.REFUSED, f"it cannot be read back: {in_words(error)}")
                # From the disk, where the kernel lets go of its copy, not memory; all are asked for first.
                for _, fd in opened:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
                for item, fd in opened:
                    if not _is_back(item, fd):
                        self._drop(item)
                        reason = "what is read back is not what was written"
                        item.settle(Outcome.REJECTED, reason, State.DAMAGED)
            finally:
                for _, fd in opened:
                    os.close(fd)

    def _publish(self, batch: Batch) -> None:
        """Give their names to all that the judge agrees with, and say so in the manifest."""
        assert batch.judged is not None  # noqa: S101 - it was given to the judge
        for item, verdict in zip(batch.to_judge, batch.judged.result(), strict=True):
            if item.handed is None:
                self._conclude(item, verdict)
        for item in batch.items:
            if item.handed and item.handed.outcome in (Outcome.RESTORED, Outcome.ALREADY, Outcome.NEAREST):
                self._folders.note(item.choice.version)
        if self._manifest is not None:
            told = (item.line() for item in batch.items if _is_news(item))
            self._manifest.add_all(told)

    def _conclude(self, item: Item, verdict: Verdict) -> None:
        assert item.place is not None  # noqa: S101 - it was written, or is there
        wanted = item.choice.verdict.state
        # What cannot be told is handed back as that: to leave it out would help nobody.
        agreed = verdict.state in (wanted, State.INTACT, State.UNKNOWN)
        same = verdict.state in (wanted, State.INTACT)
        reason = item.choice.note if same else f"judged again: {'; '.join(verdict.evidence)}"
        try:
            if item.compare:
                there = self._destination.look(item.place)
                item.stamp = stamp(there) if there else None
                item.settle(Outcome.ALREADY, reason, verdict.state)
            elif agreed:
                item.stamp = stamp(self._destination.publish(item.place))
                item.settle(Outcome.RESTORED, reason, verdict.state)
            else:
                self._drop(item)
                self._turn_down(item, verdict, reason)
        except Taken:
            self._drop(item)
            item.settle(Outcome.EXISTS, _CAME)
        except Refused as error:
            item.settle(Outcome.REFUSED, error.reason)
        except OSError as error:
            self._drop(item)
            item.settle(Outcome.REFUSED, in_words(error))

    def _turn_down(self, item: Item, verdict: Verdict, reason: str) -> None:
        """Go on to an older version of what turned out not to be what it seemed, where there is one."""
        choice = item.choice
        if choice.older:
            note = f"a newer one from {choice.version.snapshot.id[:8]} is {verdict.state.value} ({reason})"
            said = replace(choice.verdict, likeness=None)
            older = Choice(choice.older[0], said, Why.OLDER, note, choice.older[1:])
            item.again = True
            self._again.append(Item(older, item.step))
            item.settle(Outcome.REJECTED, reason, verdict.state)
        elif choice.why is Why.NEAREST or verdict.state not in (State.ENCRYPTED, State.DAMAGED):
            item.settle(Outcome.REJECTED, reason, verdict.state)
        else:
            # The backup gives just these bytes: it is the document that is lost.
            near = replace(choice, verdict=verdict, why=Why.NEAREST, note=reason)
            nearest = near if verdict.state is State.DAMAGED else None
            item.lose(Lost(choice.path, verdict.state, reason, nearest))
            if nearest and self._nearest:
                self._again.append(Item(nearest, NEAREST))

    def _drop(self, item: Item) -> None:
        """Take its draft away."""
        if item.fd >= 0:
            fd, item.fd = item.fd, -1
            os.close(fd)
        if item.place is not None and not item.compare:
            self._destination.discard(item.place)

    def _clear_away(self) -> None:
        """Leave no draft behind, however we end."""
        if self._begun is not None:
            self._drop(self._begun)
        for batch in (self._batch, self._previous):
            for item in batch.open_items() if batch else ():
                self._drop(item)

    # In the judge's thread.

    def _judge(self, items: list[Item]) -> list[Verdict]:
        before = {item.choice.path: item.choice.verdict.likeness for item in items}
        judged = self._judge_all((self._entry(item) for item in items), before.get)
        return [verdict for _, verdict in judged]

    def _entry(self, item: Item) -> Entry:
        choice, place = item.choice, item.place
        assert place is not None  # noqa: S101 - it was written, or is there

        def opened() -> OpenBlob:
            # Read-only: another process judges, one that reads hostile bytes.
            try:
                return FileBlob.adopt(self._destination.open(place, draft=not item.compare))
            except OSError as error:
                raise Unreadable(in_words(error)) from error

        return Entry(choice.path, item.given, choice.version.entry.mtime_ns, opened)


def _is_back(item: Item, fd: int) -> bool:
    try:
        if item.kept is None:
            return digest(fd) == item.sha256
        offset = 0
        for piece in item.kept:
            if os.pread(fd, len(piece), offset) != piece:
                return False
            offset += len(piece)
        return not os.pread(fd, 1, offset)
    except OSError:
        return False


def _older_one(choice: Choice, known: Record) -> Choice | None:
    """The older version that an earlier run handed back in place of the chosen one, if it did."""
    for number, version in enumerate(choice.older, 1):
        if content_of(version) == known.content:
            note = "an earlier run found the newer ones not to be healthy"
            return Choice(version, choice.verdict, Why.OLDER, note, choice.older[number:])
    return None


def _is_news(item: Item) -> bool:
    """Whether the manifest does not say so yet; what was recognised by its stamp stands there."""
    if item.handed is None or item.again:
        return False
    return item.stamp is not None or item.handed.outcome is not Outcome.ALREADY


def _failing(destination: Destination, error: OSError) -> VigieError:
    remedy = "What was reported is complete. Look at the disk, then run the same command again."
    return NotPermitted(destination.path, in_words(error), remedy)


def _one_by_one(judge: Judge) -> JudgeAll:
    """Judges many by judging each."""

    def judge_all(
        entries: Iterable[Entry | Skipped],
        /,
        before: Callable[[str], Likeness | None] | None = None,
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        for entry in entries:
            if isinstance(entry, Skipped):
                yield entry, Verdict.skipped(entry.reason)
                continue
            try:
                blob = entry.open()
            except Unreadable as error:
                yield entry, Verdict.skipped(error.reason)
                continue
            try:
                yield entry, judge(blob, entry.path, before(entry.path) if before else None)
            finally:
                blob.close()

    return judge_all
