"""`vigie.toml`, read once into frozen settings; every setting has a default.

Looked for, in this order: the path given by `--settings`, `VIGIE_SETTINGS`, `./vigie.toml`,
`/etc/vigie/vigie.toml`. An unknown key is an error that names its line and the nearest key there is.
"""

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vigie.errors import BadSettings, NoSuchTarget

SYSTEM_SETTINGS = Path("/etc/vigie/vigie.toml")
LARGEST_FILE = 1 << 20
"""Bytes of settings that are read at most: a settings file is written by a person."""

Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckSettings(_Section):
    """`[check]`: how files are judged."""

    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker processes; 0 means one a core."""
    seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Time one file may take before its verdict is *unknown*; with `--full`, a second more for each 20 MB."""
    memory: Annotated[int, Field(ge=128, le=1 << 20)] = 1024
    """Memory of one worker, in MiB."""
    exclude: tuple[str, ...] = ()
    """Shell patterns of paths that are not read."""


class VaultSettings(_Section):
    """`[vault]`: where versions are kept."""

    repository: str = ""
    """As restic writes it: a path, `rest:http://…`, `s3:https://…`."""
    password_file: str = ""
    """Instead of `RESTIC_PASSWORD`, `RESTIC_PASSWORD_FILE` or the prompt."""
    paths: tuple[str, ...] = ()
    """What `vigie vault keep` keeps when no path is given."""
    restic: str = "restic"
    """The restic program."""


class GuardSettings(_Section):
    """`[guard]`: what is watched and when it acts."""

    paths: tuple[str, ...] = ()
    """What `vigie guard` watches when no path is given."""
    encrypted_files: Positive = 3
    """Files one actor may turn into *encrypted* before it is an incident."""
    window: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds over which these are counted."""
    never_freeze: tuple[str, ...] = ()
    """Executables (shell patterns) that are never frozen, besides pid 1, Vigie itself and restic."""
    release_after: Annotated[float, Field(gt=0)] = 86400.0
    """Seconds after which a frozen process is released by itself; every action expires."""


class Settings(_Section):
    """All of `vigie.toml`."""

    check: CheckSettings = CheckSettings()
    vault: VaultSettings = VaultSettings()
    guard: GuardSettings = GuardSettings()


def state_folder(given: str | None) -> Path:
    """Where journal and baselines live: `--state`, `VIGIE_STATE`, or the default of DESIGN.md."""
    if chosen := given or os.environ.get("VIGIE_STATE"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/vigie")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "vigie"


def load(given: str | None = None) -> Settings:
    """The settings in force.

    Raises:
        NoSuchTarget: a path was named and there is no such file.
        BadSettings: the file cannot be read, is not TOML, or holds a key or value that is not known.
    """
    named = given or os.environ.get("VIGIE_SETTINGS")
    if named:
        if not Path(named).is_file():
            raise NoSuchTarget(named, "there is no such settings file", "Give the path of a vigie.toml.")
        return read(Path(named))
    for path in (Path("vigie.toml"), SYSTEM_SETTINGS):
        if path.is_file():
            return read(path)
    return Settings()


def read(path: Path) -> Settings:
    """The settings in one file.

    Raises:
        BadSettings: as for `load`.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1).decode()
        if len(text) > LARGEST_FILE:
            raise BadSettings(str(path), "it is larger than 1 MiB", "This is not a settings file.")
        return Settings.model_validate(tomllib.loads(text))
    except OSError as error:
        raise BadSettings(str(path), error.strerror or str(error), "Make it readable.") from error
    except UnicodeDecodeError as error:
        raise BadSettings(str(path), "it is not UTF-8 text", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(str(path), f"it is not valid TOML: {error}", "Mend the line it names.") from error
    except ValidationError as error:
        raise _explain(path, text, error) from error


def _explain(path: Path, text: str, error: ValidationError) -> BadSettings:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    subject = f"{path}, line {_line_of(text, where)}"
    if first["type"] != "extra_forbidden":
        problem = f"{'.'.join(where)}: {first['msg']}"
        return BadSettings(subject, problem, "Mend the value, or take the line out.")
    known = _keys_of(Settings, where[:-1])
    near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
    remedy = f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(sorted(known))}."
    return BadSettings(subject, f'there is no setting "{".".join(where)}"', remedy)


def _keys_of(section: Any, where: list[str]) -> list[str]:
    for name in where:
        section = section.model_fields[name].annotation
    return list(section.model_fields)


def _line_of(text: str, where: list[str]) -> int:
    """The 1-based line on which the key at `where` stands (or its section, or the first)."""
    section: list[str] = []
    best = 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            section = [part.strip().strip("\"'") for part in header[1].split(".")]
            if section == where[: len(section)]:
                best = number
        elif key := re.match(r"\s*([^=#]+?)\s*=", line):
            full = section + [part.strip().strip("\"'") for part in key[1].split(".")]
            if full == where[: len(full)]:
                return number
    return best
