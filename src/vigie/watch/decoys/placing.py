"""Places decoys in folders, and takes them away again: never over a file, never one that was changed since.

Four to a folder, so that a walk meets one early whatever its order: by name from either end, the smallest
first, the oldest first. In the order of the directory itself (a hash on ext4) no place is first; four are
early more often than one.
"""

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from random import Random, SystemRandom

from vigie.errors import NoSuchTarget, NotPermitted
from vigie.watch.decoys.documents import MAKERS
from vigie.watch.decoys.register import Decoy, Register

_FIRST = ("00_", "000_", "0000_", "!00_")
"""What a name begins with to come before the others; the first that does is taken."""
_LAST = ("z_", "zz_", "zzz_", "zzzz_")
_NAMES = (
    ("xlsx", _FIRST, ("Annuaire_patients_{year}", "Liste_patients_{year}", "Registre_entrees_{year}")),
    (
        "csv",
        _FIRST,
        ("Export_rendez_vous_{year}", "Contacts_correspondants_{year}", "Planning_gardes_{year}"),
    ),
    ("docx", _LAST, ("Comptes_rendus_{year}", "Courriers_confidentiels_{year}", "Archives_courriers_{year}")),
    ("pdf", _LAST, ("Dossiers_archives_{year}", "Protocoles_{year}", "Bilan_activite_{year}")),
)
_LOOKED_AT = 10_000
"""Files of a folder whose names and times are looked at."""
_YEAR = 365 * 86400


@dataclass(frozen=True, slots=True)
class Placed:
    """What was placed in one folder, and what was not, and why."""

    decoys: tuple[Decoy, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A decoy that was not taken away, and why."""

    path: str
    reason: str


def place(folder: str, register: Register, rng: Random | None = None) -> Placed:
    """Place decoys in a folder that has none.

    Raises:
        NoSuchTarget: there is no such folder.
        NotPermitted: it cannot be read or written.
    """
    rng = rng or SystemRandom()
    folder = os.path.realpath(folder)
    if not os.path.isdir(folder):
        raise NoSuchTarget(folder, "it is no folder", "Give folders that are watched.")
    if any(os.path.dirname(decoy.path) == folder for decoy in register.all()):
        return Placed((), (f"{folder}: it has decoys already",))
    try:
        return _place(folder, register, rng)
    except OSError as error:
        raise NotPermitted(folder, error.strerror or str(error), "Run as root.") from error


def remove(register: Register, paths: Iterable[str] = (), *, force: bool = False) -> list[Kept]:
    """Take decoys away: those at or below `paths`, or all; those that were changed only by `force`."""
    roots = tuple(os.path.realpath(path) for path in paths)
    kept = []
    for decoy in register.all():
        if roots and not any(decoy.path == r or decoy.path.startswith(r.rstrip("/") + "/") for r in roots):
            continue
        changed = _changed(decoy)
        if changed and not force:
            kept.append(Kept(decoy.path, changed))
            continue
        register.strike(decoy.path)  # first, so that a guard that runs sees nobody touch a decoy
        try:
            os.unlink(decoy.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            register.add(decoy)
            kept.append(Kept(decoy.path, error.strerror or str(error)))
    return kept


def _place(folder: str, register: Register, rng: Random) -> Placed:
    with os.scandir(folder) as entries:
        files = [(e.name, e.stat(follow_symlinks=False).st_mtime) for e in islice(entries, _LOOKED_AT)]
    names = [name for name, _ in files]
    now = time.time()
    oldest = min((when for _, when in files), default=now - _YEAR)
    made: list[Decoy] = []
    refused: list[str] = []
    for number, (ending, beginnings, stems) in enumerate(_NAMES):
        # One is older than all that is there; the others are of some day in between.
        when = oldest - rng.uniform(1, 30) * 86400 if number == 1 else rng.uniform(oldest, now - 60)
        day = datetime.fromtimestamp(when, UTC).date()
        beginning = _begin(beginnings, names)
        path = os.path.join(folder, f"{beginning}{rng.choice(stems).format(year=day.year)}.{ending}")
        data = MAKERS[ending](rng, day)
        try:
            _write(path, data, when)
        except FileExistsError:
            refused.append(f"{path}: there is a file of that name")
            continue
        decoy = Decoy(path, hashlib.sha256(data).hexdigest(), len(data), time.time_ns())
        register.add(decoy)
        made.append(decoy)
    return Placed(tuple(made), tuple(refused))


def _begin(beginnings: tuple[str, ...], names: list[str]) -> str:
    """The first of them that comes before (or behind) every name, capitals or not; else the strongest."""
    others = [*names, *(name.casefold() for name in names)]
    first = beginnings is _FIRST
    for beginning in beginnings:
        if all(beginning < name if first else beginning > name for name in others):
            return beginning
    return beginnings[-1]


def _write(path: str, data: bytes, when: float) -> None:
    """A new file that belongs to whom its folder does: who can write there can write this."""
    above = os.stat(os.path.dirname(path))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), above.st_uid, above.st_gid)
            os.fchmod(file.fileno(), above.st_mode & 0o666)
        os.utime(path, (when, when))
    except OSError:
        os.unlink(path)
        raise


def _changed(decoy: Decoy) -> str:
    """Why it is not as it was placed, or nothing; one that is gone is not changed."""
    try:
        fd = os.open(decoy.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    with open(fd, "rb") as file:
        same = (
            os.fstat(fd).st_size == decoy.size
            and hashlib.sha256(file.read(decoy.size)).hexdigest() == decoy.sha256
        )
    return "" if same else "it was changed since: look at it first, or use --force"
