"""What `vigie guard` and `vigie release` can do and undo here: each kind of action wired to what does it."""

from vigie.config import Settings
from vigie.watch.actions import Actuator
from vigie.watch.freeze import Freezer
from vigie.watch.freeze_group import GroupFreezer


def actuators(settings: Settings) -> dict[str, Actuator]:
    """By kind; the freezer too, since `vigie release` has no guard."""
    freezer = Freezer(settings.guard.never_freeze)
    found: list[Actuator] = [freezer, GroupFreezer(freezer)]
    return {actuator.kind: actuator for actuator in found}
