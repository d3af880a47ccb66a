"""What stands in the place of a file already: an earlier run's work, another file, or nothing."""

import os
from collections.abc import Mapping

from vigie.model import State
from vigie.timeline import Choice, Why
from vigie.vault.batch import Item, content_of, stamp
from vigie.vault.destination import Destination, Place, Refused
from vigie.vault.handed import Outcome
from vigie.vault.manifest import Record


class Standing:
    """Looks before anything is read. `folders` is the mode of the folders that are made on the way."""

    def __init__(self, destination: Destination, records: Mapping[str, Record], folders: int) -> None:
        self._destination = destination
        self._records = records
        self._folders = folders

    def look(self, item: Item) -> Item:
        """Say what must be read for an item, from what stands in its place.

        Raises:
            DiskFull, NotPermitted: there is no room for its folder.
        """
        try:
            place = item.place = self._destination.place(item.target, folders=self._folders)
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


def _older_one(choice: Choice, known: Record) -> Choice | None:
    """The older version that an earlier run handed back in place of the chosen one, if it did."""
    for number, version in enumerate(choice.older, 1):
        if content_of(version) == known.content:
            note = "an earlier run found the newer ones not to be healthy"
            return Choice(version, choice.verdict, Why.OLDER, note, choice.older[number:])
    return None
