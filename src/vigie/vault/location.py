"""Where the vault is, and which source a command reads."""

import os

from vigie.config import VaultSettings
from vigie.errors import NoSuchTarget, Unreadable
from vigie.sources.borg import BorgSource
from vigie.sources.file import FileBlob
from vigie.sources.restic import ResticSource
from vigie.sources.snapshots import SnapshotsSource
from vigie.vault.password import passphrase_of, password_of

Backup = ResticSource | BorgSource | SnapshotsSource
"""What can be read; each a `Source` that a `with` statement closes."""

_KINDS = ("restic", "borg", "snapshots")
_KOPIA = "kopia.repository.f"
"""The file in which kopia describes a repository in a folder (kopia repo/blob/sharded, repo/format)."""
_BORG = b"[repository]"
"""How the config of a borg repository begins."""
_RESTIC = ("keys", "snapshots", "index", "data")
"""Folders of a restic repository (restic doc/design.rst, "Repository Layout")."""

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
    if kind in _KINDS:
        _demand(kind, location.removeprefix("local:"))
    if location and kind == "restic":
        return ResticSource(location, lambda: password_of(settings, location))
    if location and kind == "borg":
        return BorgSource(location, lambda: passphrase_of(settings, location))
    if location and kind == "snapshots":
        return SnapshotsSource(location)
    remedy = f"Write restic:{given or 'PATH'}, borg:PATH or snapshots:DIR"
    raise NoSuchTarget(given, "this names no backup that can be read", remedy)


def _demand(kind: str, folder: str) -> None:
    """Say at once what a folder is that was taken for another kind of backup; a far place is not looked at.

    Raises:
        NoSuchTarget: it is a repository of another program.
    """
    if os.path.exists(os.path.join(folder, _KOPIA)):
        remedy = "Let kopia mount it, and read that: snapshots:DIR (docs/timeline.md)."
        raise NoSuchTarget(folder, "it is a repository of kopia, which is not read itself", remedy)
    found = "borg" if _begins(os.path.join(folder, "config"), _BORG) else kind
    if kind == "snapshots" and all(os.path.isdir(os.path.join(folder, name)) for name in _RESTIC):
        found = "restic"
    if found != kind:
        raise NoSuchTarget(folder, f"it is a repository of {found}", f"Write {found}:{folder}")


def _begins(path: str, mark: bytes) -> bool:
    try:
        with FileBlob.open(path) as blob:
            return blob.at(0, len(mark)) == mark
    except Unreadable:
        return False
