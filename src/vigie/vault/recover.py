"""Recover: hand back the planned version of every file, each judged again from what was written.

A file is written beside its place, brought to the disk, read back, compared and judged; only then it gets its
name, and only when name and bytes are on the disk it is reported. What stands there already is left alone: a
run that was cut short is simply started again.

Files go in batches, and four things happen at once: a thread reads the backup ahead (`fetch`), this one
writes a batch (`drafts`); of the batch before, a third waits for the disk and reads back, and a fourth has it
judged (`second_look`).
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

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
        self._landing: Batch | None = None
        """Written; on its way to the disk, and judged meanwhile."""
        self._published: Batch | None = None
        """Under its names, which the next wait for the disk brings down."""
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
        # One thread each: batches come down, and are judged, in their order.
        with (
            ThreadPoolExecutor(1, "judge") as judging,
            ThreadPoolExecutor(1, "disk") as disk,
            Fetch(self._source, items, limit) as fetch,
        ):
            try:
                for item in self._written(fetch):
                    self._writing.add(item)
                    if self._writing.is_full:
                        yield from self._turn(judging, disk)
                while self._writing.items or self._landing or self._published:
                    yield from self._turn(judging, disk)
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

    def _turn(self, judging: ThreadPoolExecutor, disk: ThreadPoolExecutor) -> Iterator[Handed]:
        """Send what was written down to the disk, publish the batch before, report the one before that."""
        batch, landing, done = self._writing, self._landing, self._published
        self._writing, self._published = Batch(), landing
        self._landing = batch if batch.items else None
        batch.to_judge = batch.open_items()
        batch.judged = judging.submit(self._look.at, batch.to_judge)
        if landing is not None:
            assert landing.landed is not None  # noqa: S101 - it was sent down a turn ago
            landing.landed.result()
        if done is not None:
            # That wait for the disk began when these had their names.
            yield from done.told()
        if landing is not None:
            self._publication.publish(landing)
        batch.landed = disk.submit(self._drafts.bring_down, batch)
        if self._landing is None:
            batch.landed.result()

    def _clear_away(self) -> None:
        """Leave no draft behind, however we end."""
        self._drafts.abandon()
        for batch in (self._writing, self._landing, self._published):
            for item in batch.open_items() if batch else ():
                self._drafts.drop(item)


def _failing(destination: Destination, error: OSError) -> VigieError:
    remedy = "What was reported is complete. Look at the disk, then run the same command again."
    return NotPermitted(destination.path, in_words(error), remedy)
