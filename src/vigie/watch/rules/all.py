"""The rules in force, in the order in which they are asked."""

from vigie.watch.rules import Rule
from vigie.watch.rules.decoys import Decoys
from vigie.watch.rules.deletions import Deletions
from vigie.watch.rules.notes import Notes
from vigie.watch.rules.renames import Renames
from vigie.watch.rules.slow import Slow


def all_rules() -> tuple[Rule, ...]:
    """New ones, which have seen nothing yet: one set a detector."""
    return (Decoys(), Notes(), Renames(), Deletions(), Slow())
