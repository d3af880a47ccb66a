"""What a sensor reports, and what a sensor is."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was open for writing has been closed. Whoever takes the event closes its descriptors."""

    path: str
    """Its name when the event was read: it may have been renamed since it was written."""
    fd: int
    """Open for reading."""
    pid: int | None = None
    """Who closed it; None where the sensor cannot tell."""
    pidfd: int | None = None
    """That very process (never one that got its pid later), where the kernel gives it."""
    gone: bool = False
    """It had ended when the event was read: whoever has that pid now did not write."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """Events were lost, and why: what is watched must be read again."""

    reason: str


Event = Written | Overflow


@dataclass(frozen=True, slots=True)
class Moved:
    """A file was given another name, or moved."""

    path: str
    """Its new name."""
    old: str
    pid: int | None = None
    pidfd: int | None = None
    """As in `Written`; whoever takes the event closes it."""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """A file was deleted."""

    path: str
    pid: int | None = None
    pidfd: int | None = None
    gone: bool = False


NameEvent = Moved | Removed | Overflow


class Sensor(Protocol):
    """Where events come from."""

    @property
    def name(self) -> str:
        """The word for `--sensor`."""
        ...

    @property
    def attribution(self) -> bool:
        """Whether events name the process."""
        ...

    @property
    def lost(self) -> tuple[str, ...]:
        """What cannot be seen or done with this sensor here, for the person who starts the guard."""
        ...

    @property
    def filesystems(self) -> tuple[str, ...]:
        """Mount points that are watched."""
        ...

    def fileno(self) -> int:
        """Readable (select) when events wait."""
        ...

    def read(self) -> list[Event]:
        """The next few events, at once; empty when none wait."""
        ...

    def ignore(self, folder: str) -> None:
        """Open no file of that folder: it holds databases of ours (why: see `Fanotify.ignore`)."""
        ...

    def extend(self) -> list[str]:
        """Take in file systems mounted below the watched paths since; their mount points."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


class NameSensor(Protocol):
    """Where changes of names come from; the files themselves are the `Sensor`'s."""

    @property
    def lost(self) -> tuple[str, ...]:
        """As of a `Sensor`."""
        ...

    def fileno(self) -> int:
        """Readable (select) when events wait."""
        ...

    def read(self) -> list[NameEvent]:
        """The next few events, at once; empty when none wait."""
        ...

    def extend(self) -> list[str]:
        """As of a `Sensor`."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...
