"""Where the vault is, and which source a command reads."""

import os

from vigie.config import VaultSettings
from vigie.errors import NoSuchTarget
from vigie.sources.borg import BorgSource
from vigie.sources.restic import ResticSource
from vigie.sources.snapshots import SnapshotsSource
from vigie.vault.passphrase import passphrase_of
from vigie.vault.password import password_of

Backup = ResticSource | BorgSource | SnapshotsSource
"""What can be read; each a `Source` that a `with` statement closes."""

VAULT = "vault"
"""The source that stands for the repository of vigie.toml."""


def repository_of(given: str | None, settings: VaultSettings) -> str:
    """The repository as restic writes it: as given, else RESTIC_REPOSITORY, else `vault.repository`.

    Raises:
        NoSuchTarget: none of them says.
    """
    found = given or os.environ.get("RESTIC_REPOSITORY") or settings.repository
    if not found:
        raise NoSuchTarget(
            "vault",
            "no repository is named",
            "Give --repository, set RESTIC_REPOSITORY, or vault.repository in vigie.toml.",
        )
    return found


def source_of(given: str, settings: VaultSettings) -> Backup:
    """The source a command was given: `restic:LOCATION`, `borg:PATH`, `snapshots:DIR`, or `vault`.

    `vault` is the repository of the settings.

    Raises:
        NoSuchTarget: it cannot be understood, or is not there.
        WrongPassword, RepositoryDamaged, NotPermitted, MissingProgram: as for the class it is read by.
    """
    kind, _, location = given.partition(":")
    if given == VAULT:
        kind, location = "restic", repository_of(None, settings)
    if location and kind == "restic":
        return ResticSource(location, lambda: password_of(settings, location))
    if location and kind == "borg":
        return BorgSource(location, lambda: passphrase_of(settings, location))
    if location and kind == "snapshots":
        return SnapshotsSource(location)
    remedy = f"Write restic:{given or 'PATH'}, borg:PATH or snapshots:DIR"
    raise NoSuchTarget(given, "this names no backup that can be read", remedy)
