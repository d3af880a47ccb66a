"""Recover: hand back the planned version of every file, each judged again from what was written.

A file is written beside its place, brought to the disk, read back, compared and judged; only then it gets its
name, and only when name and bytes are on the disk it is reported. What stands there already is left alone: a
run that was cut short is simply started again.

One thread reads, writes and has the judges judge: they ask it for the next file whenever one of them is free
(`second_look`). Files go to the disk in batches, for which another thread waits, and reads them back
(`drafts`). What comes from far away is read ahead in a third (`fetch`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from vigie.errors import NotPermitted, VigieError
from vigie.model import Judge, Source
from vigie.sources.file import in_words
from vigie.timeline import Lost, Plan
from vigie.timeline.urgency import Step
from vigie.vault.batch import Batch, Item
from vigie.vault.destination import Destination
from vigie.vault.drafts import Drafts
from vigie.vault.fetch import Fetch
from vigie.vault.folders import Folders, OnFolder
from vigie.vault.handed import Handed, Outcome, Recovery, named
from vigie.vault.manifest import Manifest
from vigie.vault.publication import Publication
from vigie.vault.second_look import SecondLook, one_by_one
from vigie.vault.stages import JudgeAll
from vigie.vault.standing import Standing

__all__ = ["Handed", "Outcome", "Recovery", "hand_back", "recover"]

_AHEAD = 3
"""Batches that may be on their way to the disk while the next one is written."""


def recover(plan: Plan, source: Source, judge: Judge, destination: Destination) -> Iterator[Handed]:
    """Hand back the files of a plan in path order, judged one by one, without a manifest.

    Raises:
        DiskFull: as for `hand_back`.
    """
    steps = (Step("", plan.choices),)
    return hand_back(steps, plan.lost, source, one_by_one(judge), destination)


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
    on_folder: OnFolder | None = None,
) -> Iterator[Handed]:
    """Hand back the files of the steps, in their order; then name what is lost.

    A file goes under its whole old path below the destination: `/srv/a.pdf` to `DIR/srv/a.pdf`. With a
    manifest, what an earlier run handed back is recognised without being read. With `nearest`, a document
    that turns out to be damaged in every version is handed back under a name that says so. `limit` is the
    bytes a second that are read from the source, 0 for as many as can be; `on_bytes` is told how many more
    are dealt with, and `on_folder` of each folder that could not be given all its extended attributes.

    Raises:
        DiskFull: there is no room left; what was given so far is complete.
    """
    run = _Run(source, judge_all, destination, manifest, on_bytes or (lambda _: None), nearest=nearest)
    yield from run.all_of(steps, limit)
    run.end(on_folder or (lambda _path, _lacking: None))
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
        self._destination = destination
        self._on_bytes = on_bytes
        folders = Folders(source)
        self._folders = folders
        self._standing = Standing(destination, manifest.records if manifest else {}, folders.mode)
        self._drafts = Drafts(destination, source)
        self._look = SecondLook(destination, judge_all)
        self._publication = Publication(destination, folders, manifest, nearest=nearest)
        self._writing = Batch()
        self._on_the_way: deque[Batch] = deque()
        """Written, and not yet under their names."""
        self._named: list[Item] = []
        """Under their names, which the next wait for the disk brings down."""
        self._failed: VigieError | None = None

    def all_of(self, steps: Iterable[Step], limit: int) -> Iterator[Handed]:
        yield from self._pass((Item(choice, step.name) for step in steps for choice in step.choices), limit)
        while again := self._publication.again():
            yield from self._pass(again, limit)

    def end(self, on_folder: OnFolder) -> None:
        """Dress the folders, now that nothing is put into them any more."""
        try:
            self._folders.dress(self._destination, on_folder)
            self._destination.sync()
        except OSError as error:
            raise _failing(self._destination, error) from error

    def _pass(self, wanted: Iterable[Item], limit: int) -> Iterator[Handed]:
        items = (self._standing.look(item) for item in wanted)
        with (
            ThreadPoolExecutor(1, "disk") as disk,  # one: batches come down in their order
            Fetch(self._source, items, limit) as fetch,
        ):
            written = self._written(fetch)
            try:
                while (first := next(written, None)) is not None:
                    for batch in self._look.at(self._batches(chain((first,), written), disk)):
                        batch.is_judged = True
                        yield from self._publish(_AHEAD)
                    yield from self._publish(0)
                if self._named:
                    self._destination.sync()
                    yield from _told(self._named)
                    self._named = []
            except OSError as error:
                raise self._destination.fatal(error) or _failing(self._destination, error) from error
            finally:
                self._clear_away()
        if self._failed is not None:
            raise self._failed

    def _written(self, fetch: Fetch[Item]) -> Iterator[Item]:
        """Each item once all its bytes came, until there are no more, or no room for them."""
        try:
            for piece in fetch:
                self._on_bytes(self._drafts.take(piece))
                if piece.last:
                    yield piece.job
        except VigieError as error:
            # The disk is full, most likely. What is whole is handed over all the same.
            self._failed = error

    def _batches(self, written: Iterable[Item], disk: ThreadPoolExecutor) -> Iterator[Item | Batch]:
        """What is to be judged, and each batch behind all of its items; it is on its way to the disk then."""
        for item in written:
            self._writing.add(item)
            if item.handed is None:
                yield item
            if self._writing.is_full:
                slow = self._writing.is_old
                yield self._send_down(disk)
                if slow:
                    # Who comes next may keep us waiting: the judges are to answer now.
                    return
        if self._writing.items:
            yield self._send_down(disk)

    def _send_down(self, disk: ThreadPoolExecutor) -> Batch:
        batch, self._writing = self._writing, Batch()
        batch.before, self._named = self._named, []
        batch.landed = disk.submit(self._drafts.bring_down, batch)
        self._on_the_way.append(batch)
        return batch

    def _publish(self, ahead: int) -> Iterator[Handed]:
        """Publish what is judged and down; with more than `ahead` batches on the way, wait for the disk."""
        way = self._on_the_way
        while way and way[0].is_judged:
            batch = way[0]
            assert batch.landed is not None  # noqa: S101 - it was sent down
            if len(way) <= ahead and not batch.landed.done():
                return
            batch.landed.result()
            yield from _told(batch.before)
            self._publication.publish(batch)
            self._named += batch.items
            way.popleft()

    def _clear_away(self) -> None:
        """Leave no draft behind, however we end."""
        self._drafts.abandon()
        for batch in (*self._on_the_way, self._writing):
            for item in batch.open_items():
                self._drafts.drop(item)


def _told(items: Iterable[Item]) -> Iterator[Handed]:
    """What became of each, but of those in whose place an older version is tried."""
    return (item.handed for item in items if item.handed and not item.again)


def _failing(destination: Destination, error: OSError) -> VigieError:
    remedy = "What was reported is complete. Look at the disk, then run the same command again."
    return NotPermitted(destination.path, in_words(error), remedy)
