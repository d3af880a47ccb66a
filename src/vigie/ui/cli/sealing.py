"""The vault as other commands meet it: its program, and its seal as a measure of the guard."""

from pathlib import Path

from vigie.config import Settings
from vigie.errors import VigieError
from vigie.vault import Restic, password_of, repository_of
from vigie.vault.seal import Seal
from vigie.watch.actions import Outcome, Target

KIND = "seal-vault"


class SealVault:
    """Actuator "seal-vault": nothing is forgotten from the vault until it is released."""

    kind = KIND

    def __init__(self, settings: Settings, state: Path) -> None:
        self._settings, self._state = settings, state

    def do(self, target: Target) -> Outcome:
        """Put the seal on."""
        del target
        try:
            self._seal().hold()
        except VigieError as error:
            return Outcome(False, f"not sealed: {error}", False)
        return Outcome(True, "sealed: restic forgets nothing")

    def undo(self, target: Target) -> Outcome:
        """Take it off."""
        del target
        try:
            self._seal().release()
        except VigieError as error:
            return Outcome(True, f"still sealed: {error}", False)
        return Outcome(False, "the seal is off")

    def renew(self) -> None:
        """Put it on again where it ended with the machine.

        Raises:
            VigieError: restic cannot.
        """
        seal = self._seal()
        if seal.noted and not seal.holds:
            seal.hold()

    def _seal(self) -> Seal:
        return Seal(restic_of(self._settings, self._state), self._state)


def has_vault(chosen: Settings) -> bool:
    """Whether there is one that needs nobody at a terminal."""
    return bool(chosen.vault.repository and chosen.vault.password_file)


def restic_of(chosen: Settings, state: Path, given: str | None = None) -> Restic:
    """The program for the vault, or for the repository that is given.

    Raises:
        VigieError: program, repository or password are not there.
    """
    repository = repository_of(given, chosen.vault)
    # Whether the program is there is said before anybody is asked for a password.
    restic = Restic.at(chosen.vault.restic, repository, state)
    return restic.with_password(password_of(chosen.vault, restic.name))
