"""Mass deletion after containers appear: files are locked with legitimate tools (ZIP, 7z, gpg), then deleted.

| one actor, within 30 minutes                                                       | then  |
|------------------------------------------------------------------------------------|-------|
| makes an encrypted container, or what is random all over, and deletes 30 documents | tell  |
| deletes whatever it likes, and makes no container                                  | quiet |
| makes containers and deletes no documents: a backup                                | quiet |

The tools are everybody's, and a practice that packs its old year into one file with a password does just
this: people are told which files are gone and where the containers are, and decide. Rule 2 of the detector
stops those who make as many strangers as they delete files.
"""

from collections.abc import Sequence
from os.path import basename

from vigie.formats import by_name
from vigie.model import State
from vigie.watch.facts import Deleted, Fact, Observation
from vigie.watch.responsible import Key, Link
from vigie.watch.rules import Finding
from vigie.watch.rules.evidence import MINUTE, Lately, add_all, span

_WINDOW = 30 * MINUTE
_DELETED = 30
_RANDOM = 0.9
_CONTAINERS = frozenset(
    {"zip", "7z", "rar", "keepass", "luks", "ooxml-encrypted", "openpgp", "openpgp-armour", "age"}
    | {"age-armour", "ansible-vault", "bitlocker", "ecryptfs", "openssl-enc", "encrypted", "dmg"}
)
"""Formats that may hold other people's files behind a password."""


class Deletions:
    """As above."""

    def __init__(self) -> None:
        self._made, self._deleted = Lately(_WINDOW), Lately(_WINDOW)

    def counts(self, fact: Fact) -> bool:
        """Containers; deletions once there is one."""
        return _container(fact) or (_document(fact) and bool(self._made))

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        """Count a fact."""
        if _container(fact):
            add_all(self._made, chain, fact.path, now)
        elif not self.counts(fact):
            return None
        else:
            # Its own are no documents: a program that packs makes and deletes files as it goes along.
            add_all(self._deleted, chain, fact.path, now)
        for key, actor in chain:
            made, deleted = self._made.of(key, now), self._deleted.of(key, now)
            deleted = tuple(path for path in deleted if path not in made)
            if made and len(deleted) >= _DELETED:
                reason = (
                    f"{len(deleted)} documents were deleted within {span(_WINDOW)} of making "
                    f"{len(made)} containers that only a password opens, such as {basename(made[-1])}"
                )
                return Finding("deletions", key, actor, deleted, len(deleted), reason, acts=False)
        return None

    def forget(self, key: Key) -> None:
        """It starts from nothing."""
        self._made.forget(key)
        self._deleted.forget(key)


def _container(fact: Fact) -> bool:
    """Whether it made a new file that may hold others behind a password."""
    if not isinstance(fact, Observation) or fact.before is not None or fact.verdict.likeness is None:
        return False
    likeness = fact.verdict.likeness
    if likeness.random_share < _RANDOM:
        return False
    return likeness.format in _CONTAINERS or (likeness.format is None and likeness.state is State.UNKNOWN)


def _document(fact: Fact) -> bool:
    if not isinstance(fact, Deleted):
        return False
    promise = by_name(basename(fact.path))
    return promise is not None and promise.firm
