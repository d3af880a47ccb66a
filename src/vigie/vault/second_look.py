"""The second look: what was written is judged again, under the name it is to get."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from vigie.errors import Unreadable
from vigie.model import Entry, Judge, Likeness, OpenBlob, Skipped, Verdict
from vigie.sources.file import FileBlob, in_words
from vigie.vault.batch import Batch, Item
from vigie.vault.destination import Destination
from vigie.vault.stages import JudgeAll

_BETWEEN = Skipped("", "the end of a batch")
"""Comes back from the judge in its turn, and nobody opens it."""


class SecondLook:
    """Has drafts judged, and files that were there already, each against what the plan knows of it."""

    def __init__(self, destination: Destination, judge_all: JudgeAll) -> None:
        self._destination = destination
        self._judge_all = judge_all
        self._sent: deque[Item | Batch] = deque()

    def at(self, coming: Iterable[Item | Batch]) -> Iterator[Batch]:
        """Give each item its verdict, and each batch back when all that came before it is judged.

        What comes is asked for as the judges get free, and goes on coming while they judge.
        """
        likenesses: dict[str, Likeness | None] = {}

        def entries() -> Iterator[Entry | Skipped]:
            for item in coming:
                self._sent.append(item)
                if isinstance(item, Batch):
                    yield _BETWEEN
                else:
                    likenesses[item.choice.path] = item.choice.verdict.likeness
                    yield self._entry(item)

        for _, verdict in self._judge_all(entries(), likenesses.get):
            item = self._sent.popleft()
            if isinstance(item, Batch):
                yield item
            else:
                item.verdict = verdict
                likenesses.pop(item.choice.path, None)

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


def one_by_one(judge: Judge) -> JudgeAll:
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
