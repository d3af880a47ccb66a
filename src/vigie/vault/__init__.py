"""Keep and restore: drives the stock restic program, and brings back the last clean version of each file."""

from vigie.vault.destination import Destination
from vigie.vault.history import History, told
from vigie.vault.keep import Kept, keep
from vigie.vault.location import repository_of, source_of
from vigie.vault.password import password_of
from vigie.vault.recall import Recall
from vigie.vault.recover import Handed, Outcome, Recovery, recover
from vigie.vault.repository import Listed, init, restore, snapshots, verify
from vigie.vault.restic import Restic
from vigie.vault.stages import Effort, JudgeAll

__all__ = [
    "Destination",
    "Effort",
    "Handed",
    "History",
    "JudgeAll",
    "Kept",
    "Listed",
    "Outcome",
    "Recall",
    "Recovery",
    "Restic",
    "init",
    "keep",
    "password_of",
    "recover",
    "repository_of",
    "restore",
    "snapshots",
    "source_of",
    "told",
    "verify",
]
