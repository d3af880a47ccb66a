"""Drafts: files under a name of ours, written piece by piece, brought to the disk together and read back."""

import os

from vigie.model import Source, State
from vigie.sources.file import in_words
from vigie.vault.batch import Batch, Item
from vigie.vault.destination import Destination, Refused, digest, write
from vigie.vault.dress import dress
from vigie.vault.fetch import Piece
from vigie.vault.handed import Outcome

_SMALL = 8 << 20
"""Bytes up to which a file is kept in memory: to compare costs a tenth of a second SHA-256."""
_AT_ONCE = 64
"""Files that are read back side by side."""


class Drafts:
    """Writes in one thread, brings down in another; of one item, never both at once."""

    def __init__(self, destination: Destination, source: Source) -> None:
        self._destination = destination
        self._source = source
        self._begun: Item | None = None
        """The one whose bytes are coming in."""

    def take(self, piece: Piece[Item]) -> int:
        """Write a piece, or compare it with what is there; how many bytes of the plan are dealt with.

        Raises:
            DiskFull, NotPermitted: it concerns more than this file.
        """
        item = self._begun = piece.job
        item.given += len(piece.data)
        if item.handed is None:
            try:
                self._write(item, piece)
            except Refused as error:
                item.settle(Outcome.REFUSED, error.reason)
            except OSError as error:
                self.drop(item)
                if fatal := self._destination.fatal(error):
                    raise fatal from error
                item.settle(Outcome.REFUSED, in_words(error))
        if not piece.last:
            return len(piece.data)
        self._begun = None
        # What need not be read, or was not all there, is dealt with, too.
        return len(piece.data) + max(0, item.choice.version.entry.size - item.given)

    def drop(self, item: Item) -> None:
        """Take its draft away."""
        if item.fd >= 0:
            fd, item.fd = item.fd, -1
            os.close(fd)
        if item.place is not None and not item.compare:
            self._destination.discard(item.place)

    def abandon(self) -> None:
        """Take the draft away whose bytes were still coming in."""
        if self._begun is not None:
            self.drop(self._begun)

    def bring_down(self, batch: Batch) -> None:
        """Wait until a batch is on the disk, and compare each draft with what was to be written."""
        drafts = [item for item in batch.items if item.handed is None and not item.compare]
        try:
            self._destination.sync()
        except OSError:
            # Somebody's file could not be written, perhaps none of ours: each is asked for.
            for item in drafts:
                self._ask(item)
        waiting = [item for item in drafts if item.handed is None]
        for start in range(0, len(waiting), _AT_ONCE):
            self._read_back(waiting[start : start + _AT_ONCE])

    def _write(self, item: Item, piece: Piece[Item]) -> None:
        assert item.place is not None  # noqa: S101 - else it would be settled
        if not item.compare and item.fd < 0:
            item.fd = self._destination.draft(item.place)
        if item.compare:
            item.sum.update(piece.data)
        else:
            write(item.fd, piece.data)
            item.keep(piece.data, _SMALL)
        if not piece.last:
            return
        if piece.trouble:
            self.drop(item)
            item.settle(Outcome.UNREADABLE, piece.trouble)
            return
        if item.compare:
            item.sha256 = item.sum.hexdigest()
            if self._destination.digest(item.place) != item.sha256:
                item.settle(Outcome.EXISTS, "another file is there: left alone")
            return
        item.lacking = dress(item.fd, self._source.attributes(item.choice.version))
        fd, item.fd = item.fd, -1
        os.close(fd)

    def _ask(self, item: Item) -> None:
        assert item.place is not None  # noqa: S101 - it was written
        try:
            fd = self._destination.open(item.place, draft=True)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self.drop(item)
            item.settle(Outcome.REFUSED, in_words(error))

    def _read_back(self, drafts: list[Item]) -> None:
        opened: list[tuple[Item, int]] = []
        try:
            for item in drafts:
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
                for written in item.kept or ():
                    item.sum.update(written)
                item.sha256 = item.sum.hexdigest()
                if not _is_back(item, fd):
                    self.drop(item)
                    reason = "what is read back is not what was written"
                    item.settle(Outcome.REJECTED, reason, State.DAMAGED)
                item.kept = None
        finally:
            for _, fd in opened:
                os.close(fd)


def _is_back(item: Item, fd: int) -> bool:
    try:
        if item.kept is None:
            return digest(fd) == item.sha256
        offset = 0
        for piece in item.kept:
            # One byte more is asked for at the end, where nothing may follow.
            offset += len(piece)
            found = os.pread(fd, len(piece) + (offset == item.given), offset - len(piece))
            if found != piece:
                return False
    except OSError:
        return False
    return True
