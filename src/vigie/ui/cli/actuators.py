"""What `vigie guard` and `vigie release` can do and undo here: each kind of action wired to what does it."""

from vigie.config import Settings
from vigie.watch.actions import Actuator
from vigie.watch.freeze import Freezer


def actuators(settings: Settings) -> dict[str, Actuator]:
    """By kind; the freezer too, since `vigie release` has no guard."""
    found: list[Actuator] = [Freezer(settings.guard.never_freeze)]
    return {actuator.kind: actuator for actuator in found}
