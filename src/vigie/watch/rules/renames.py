"""Mass rename to one new ending.

| one actor, within 10 minutes                                                                 | then  |
|----------------------------------------------------------------------------------------------|-------|
| gives 20 documents one ending that no format has, behind or instead of their own             | tell  |
| the same with 3 documents, and turns a file into an encrypted one                            | act   |
| renames to an ending that some format has, or that programs give in passing (`.bak`, `.tmp`) | quiet |

Renaming destroys nothing, and a person may rename a folder of pictures to whatever they like: that is told,
and not stopped. A photo import, a PACS migration and a log rotation keep endings that formats have, or add
numbers.
"""

import re
from collections.abc import Sequence
from os.path import basename, dirname, splitext

from vigie.formats import by_name
from vigie.watch.facts import Fact, Renamed
from vigie.watch.responsible import Key, Link
from vigie.watch.rules import Finding
from vigie.watch.rules.evidence import MINUTE, Lately, span, struck

_WINDOW = 10 * MINUTE
_MANY = 20
_FEW = 3
_PASSING = re.compile(
    r"\.(bak|backup|old|orig|new|save[d]?|sav|tmp|temp|part|partial|crdownload|download|swp|swo|lock|lck|"
    r"rej|dpkg-\w+|rpm\w+|ucf-\w+|disabled|off|copy|copie|filepart|inprogress|done|ok|err|sent|archived?|"
    r"deleted|trashinfo|\d{1,14}|[0-9-]{6,20}|~\d*)~?",
    re.IGNORECASE,
)
"""Endings that programs and people give in passing."""


def strange_ending(fact: Renamed) -> str:
    """The ending that a document got which no format has and no program gives in passing, or nothing."""
    if dirname(fact.path) != dirname(fact.old):
        return ""
    old, new = basename(fact.old), basename(fact.path)
    promise = by_name(old)
    if promise is None or not promise.firm:
        return ""
    now = by_name(new)
    ending = new[len(old) :] if new.startswith(old) else splitext(new)[1]
    if (now is not None and now.firm) or not ending.startswith(".") or _PASSING.fullmatch(ending):
        return ""
    return ending.lower()


class Renames:
    """As above."""

    def __init__(self) -> None:
        self._renamed = Lately(_WINDOW)
        """(actor, ending) -> new paths."""
        self._struck = Lately(_WINDOW)

    def counts(self, fact: Fact) -> bool:
        """Documents that got a strange ending."""
        return isinstance(fact, Renamed) and bool(strange_ending(fact))

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        """Count a fact."""
        if struck(fact):
            self._struck.add(chain[0][0], fact.path, now)
        if not isinstance(fact, Renamed) or not (ending := strange_ending(fact)):
            return None
        for key, actor in chain:
            self._renamed.add((key, ending), fact.path, now)
            paths = self._renamed.of((key, ending), now)
            # Its own: what somebody else destroys below the same shell is not laid at its door.
            destroys = key == chain[0][0] and bool(self._struck.of(key, now))
            if len(paths) >= (_FEW if destroys else _MANY):
                reason = f"{len(paths)} documents got the ending {ending} within {span(_WINDOW)}"
                if destroys:
                    reason += " by who turned files into encrypted ones"
                return Finding("renames", key, actor, paths, len(paths), reason, destroys)
        return None

    def forget(self, key: Key) -> None:
        """It starts from nothing."""
        self._struck.forget(key)
        for one in self._renamed.actors():
            if isinstance(one, tuple) and one[0] == key:
                self._renamed.forget(one)
