"""Slow burns: a few files a day, by processes that come and go.

| within 7 days turns 8 distinct files into encrypted ones    | then |
|-------------------------------------------------------------|------|
| the same SMB client                                         | act  |
| the same program of the same user, whatever its pid         | tell |

Rule 1 of the detector looks at one process within an hour; who starts a new one for each file, or waits, is
seen here. A program may be anybody's (an interpreter, `openssl`), so its next process is not stopped for
what others did: people are told. Healthy containers (a password ZIP each day, the nightly backup through
gpg) are not *encrypted* to the judge, and do not count. What was counted survives a restart
(`Detector.recall`).
"""

from collections.abc import Sequence

from vigie.watch.facts import Fact
from vigie.watch.responsible import Key, Link
from vigie.watch.rules import Finding
from vigie.watch.rules.evidence import MINUTE, Lately, span, struck

WINDOW = 7 * 24 * 60 * MINUTE
_FILES = 8


class Slow:
    """As above."""

    def __init__(self) -> None:
        self._struck = Lately(WINDOW)

    def counts(self, fact: Fact) -> bool:
        """Files that became encrypted."""
        return struck(fact)

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        """Count a fact."""
        if not struck(fact):
            return None
        actor = chain[0][1]
        key = _identity(chain[0])
        self._struck.add(key, fact.path, now)
        paths = self._struck.of(key, now)
        if len(paths) < _FILES:
            return None
        reason = f"{len(paths)} files were turned into encrypted ones within {span(WINDOW)}, a few at a time"
        client = actor is not None and actor.client is not None
        return Finding("slow", key, actor, paths, len(paths), reason, acts=client)

    def forget(self, key: Key) -> None:
        """It starts from nothing."""
        self._struck.forget(key)


def _identity(link: Link) -> Key:
    """Who it is over days, whatever its pid: a client by its address, a program by its path and user."""
    key, actor = link
    if actor is None or actor.client is not None:
        return key
    return ("program", f"{actor.process.executable} of {actor.process.user}")
