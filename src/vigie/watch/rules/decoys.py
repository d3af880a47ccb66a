"""Decoys: files that nobody has a reason to touch.

| one actor, within an hour                                           | then |
|---|---|
| writes, renames or deletes one decoy                                 | tell |
| two decoys, or one decoy and a file turned into an encrypted one     | act  |

Reading is no touch: indexers, virus scanners and backups read everything.
"""

from collections.abc import Sequence

from vigie.watch.facts import Fact, Touched
from vigie.watch.responsible import Key, Link
from vigie.watch.rules import Finding
from vigie.watch.rules.evidence import MINUTE, Lately, add_all, struck

_WINDOW = 60 * MINUTE
_ENOUGH = 2


class Decoys:
    """As above."""

    def __init__(self) -> None:
        self._touched, self._struck = Lately(_WINDOW), Lately(_WINDOW)

    def counts(self, fact: Fact) -> bool:
        """Every touch."""
        return isinstance(fact, Touched)

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        """Count a fact."""
        if struck(fact):
            self._struck.add(chain[0][0], fact.path, now)
        elif isinstance(fact, Touched):
            add_all(self._touched, chain, fact.path, now)
        else:
            return None
        found: Finding | None = None
        for key, actor in chain:
            touched = self._touched.of(key, now)
            # Its own: what somebody else destroys below the same shell is not laid at its door.
            destroyed = self._struck.of(key, now) if key == chain[0][0] else ()
            if not touched:
                continue
            acts = len(touched) >= _ENOUGH or bool(destroyed)
            if acts or found is None:
                files = (*touched, *(path for path in destroyed if path not in touched))
                how = f"; the last was {fact.how}" if isinstance(fact, Touched) else ""
                what = "1 decoy was touched" if len(touched) == 1 else f"{len(touched)} decoys were touched"
                hits = "1 file" if len(destroyed) == 1 else f"{len(destroyed)} files"
                also = f", and {hits} became encrypted" if destroyed else ""
                found = Finding("decoys", key, actor, files, len(files), f"{what}{also}{how}", acts)
            if acts:
                break
        return found

    def forget(self, key: Key) -> None:
        """It starts from nothing."""
        self._touched.forget(key)
        self._struck.forget(key)
