"""Decoys: files that nobody has a reason to touch, placed where every walk of a folder comes by early."""

from vigie.watch.decoys.placing import Kept, Placed, place, remove
from vigie.watch.decoys.register import Decoy, Register
from vigie.watch.decoys.watched import Watched

__all__ = ["Decoy", "Kept", "Placed", "Register", "Watched", "place", "remove"]
