"""Publication: what the judge agrees with gets its name; what it does not gives way to an older version."""

from dataclasses import replace

from vigie.model import State, Verdict
from vigie.sources.file import in_words
from vigie.timeline import Choice, Lost, Why
from vigie.timeline.urgency import NEAREST
from vigie.vault.batch import Batch, Item, stamp
from vigie.vault.destination import Destination, Refused, Taken
from vigie.vault.folders import Folders
from vigie.vault.handed import Outcome
from vigie.vault.manifest import Manifest

_CAME = "another file came there meanwhile: left alone"
_HERE = (Outcome.RESTORED, Outcome.ALREADY, Outcome.NEAREST)


class Publication:
    """Concludes batches. With `nearest`, a document damaged in every version is handed back, and named so."""

    def __init__(
        self, destination: Destination, folders: Folders, manifest: Manifest | None, *, nearest: bool
    ) -> None:
        self._destination = destination
        self._folders = folders
        self._manifest = manifest
        self._nearest = nearest
        self._again: list[Item] = []

    def again(self) -> list[Item]:
        """Older versions of what was turned down since the last call."""
        again, self._again = self._again, []
        return again

    def publish(self, batch: Batch) -> None:
        """Give their names to all that the judge agrees with, and say so in the manifest.

        Raises:
            OSError: the manifest cannot be written.
        """
        for item in batch.open_items():
            assert item.verdict is not None  # noqa: S101 - it was judged
            self._conclude(item, item.verdict)
        for item in batch.items:
            if item.handed and item.handed.outcome in _HERE:
                self._folders.note(item.choice.version)
        if self._manifest is not None:
            self._manifest.add_all(item.line() for item in batch.items if _is_news(item))

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
                self._destination.discard(item.place)
                self._turn_down(item, verdict, reason)
        except Taken:
            self._destination.discard(item.place)
            item.settle(Outcome.EXISTS, _CAME)
        except Refused as error:
            item.settle(Outcome.REFUSED, error.reason)
        except OSError as error:
            self._destination.discard(item.place)
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


def _is_news(item: Item) -> bool:
    """Whether the manifest does not say so yet; what was recognised by its stamp stands there."""
    if item.handed is None or item.again:
        return False
    return item.stamp is not None or item.handed.outcome is not Outcome.ALREADY
