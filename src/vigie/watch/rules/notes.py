"""Ransom notes: the same small new file in many folders, by somebody who also does what an attack does.

| one actor, within 10 minutes, puts the same readable text of 64 bytes or more | then  |
|-------------------------------------------------------------------------------|-------|
| into 3 folders, and turns a file into an encrypted one                        | tell  |
| into 3 folders, and gives 3 documents an ending that no format has            | tell  |
| into 2 folders, and it asks for ransom (`judge.note`)                         | tell  |
| into any number of folders, and nothing else: an installer, git, cp           | quiet |

Nobody is stopped for what they write into a text: the files that the attack turns into encrypted ones stop
it. A database that makes the same small file in each of its folders, while somebody else's file breaks
under the same shell, was taken for an attack here once; so notes only tell.
"""

from collections.abc import Sequence
from os.path import basename, dirname

from vigie.watch.facts import Fact, Observation, Renamed
from vigie.watch.responsible import Key, Link
from vigie.watch.rules import Finding
from vigie.watch.rules.evidence import MINUTE, Lately, add_all, span, struck
from vigie.watch.rules.renames import strange_ending

_WINDOW = 10 * MINUTE
_FOLDERS = 3
_FOLDERS_ASKING = 2
_RENAMED = 3
_SHORTEST = 64
"""Bytes below which a text asks for nothing."""
_READABLE = frozenset({"text", "html", "rtf"})
"""Formats of what people read."""


class Notes:
    """As above."""

    def __init__(self) -> None:
        self._put = Lately(_WINDOW)
        """(actor, digest) -> paths."""
        self._struck, self._renamed = Lately(_WINDOW), Lately(_WINDOW)

    def counts(self, fact: Fact) -> bool:
        """Small new files; of what else counts here, other rules keep count."""
        if not isinstance(fact, Observation) or not fact.digest or fact.verdict.likeness is None:
            return False
        likeness = fact.verdict.likeness
        readable = likeness.format in _READABLE and likeness.size >= _SHORTEST
        return readable and (fact.asks or self._somebody_strikes)

    @property
    def _somebody_strikes(self) -> bool:
        return bool(self._struck or self._renamed)

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        """Count a fact."""
        if isinstance(fact, Renamed) and strange_ending(fact):
            add_all(self._renamed, chain, fact.path, now)
            return None
        if not isinstance(fact, Observation):
            return None
        if struck(fact):
            add_all(self._struck, chain, fact.path, now)
            return None
        if not self.counts(fact) or fact.before is not None:
            return None
        for key, actor in chain:
            self._put.add((key, fact.digest), fact.path, now)
            paths = self._put.of((key, fact.digest), now)
            folders = len({dirname(path) for path in paths})
            destroys = bool(self._struck.of(key, now))
            if folders >= _FOLDERS and (destroys or len(self._renamed.of(key, now)) >= _RENAMED):
                reason = (
                    f"the same note, {basename(fact.path)}, was put into {folders} folders within "
                    f"{span(_WINDOW)} by who {'encrypts' if destroys else 'renames'} files"
                )
                return Finding("notes", key, actor, paths, len(paths), reason, acts=False)
            if folders >= _FOLDERS_ASKING and fact.asks:
                reason = f"a text that asks for ransom, {basename(fact.path)}, was put into {folders} folders"
                return Finding("notes", key, actor, paths, len(paths), reason, acts=False)
        return None

    def forget(self, key: Key) -> None:
        """It starts from nothing."""
        for lately in (self._struck, self._renamed):
            lately.forget(key)
        for one in self._put.actors():
            if isinstance(one, tuple) and one[0] == key:
                self._put.forget(one)
