"""Where the vault is, and which source a command reads."""

import os

from vigie.config import VaultSettings
from vigie.errors import NoSuchTarget
from vigie.sources.restic import ResticSource
from vigie.vault.password import password_of

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


def source_of(given: str, settings: VaultSettings) -> ResticSource:
    """The source a command was given: `restic:LOCATION`, or `vault` for the repository of the settings.

    Raises:
        NoSuchTarget: it cannot be understood, or is not there.
        WrongPassword, RepositoryDamaged, NotPermitted, MissingProgram: as for `ResticSource`.
    """
    kind, _, location = given.partition(":")
    if given == VAULT:
        location = repository_of(None, settings)
    elif kind != "restic" or not location:
        raise NoSuchTarget(given, "this names no backup that can be read", f"Write restic:{given or 'PATH'}")
    return ResticSource(location, lambda: password_of(settings, location))
