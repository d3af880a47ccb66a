"""`vigie.toml`, read once into frozen settings; every setting has a default.

Looked for, in this order: the path given by `--settings`, `VIGIE_SETTINGS`, `./vigie.toml`,
`/etc/vigie/vigie.toml`. An unknown key is an error that names its line and the nearest key there is.
"""

import difflib
import os
import re
import tomllib
from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from vigie.errors import BadSettings, NoSuchTarget

SYSTEM_SETTINGS = Path("/etc/vigie/vigie.toml")
LARGEST_FILE = 1 << 20
"""Bytes of settings that are read at most: a settings file is written by a person."""

Positive = Annotated[int, Field(gt=0)]
_RATE = re.compile(r"(\d{1,12})\s*([kKmMgG]?)(?:i?[bB])?")
_FASTEST = 1 << 50


def rate(value: object) -> int:
    """Bytes a second from a number, or from a text as people write it: `500K`, `20M`, `1G` (by 1,024).

    Raises:
        ValueError: it is neither.
    """
    match = _RATE.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    found = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()] if match else -1
    if not 0 <= found <= _FASTEST:
        raise ValueError('write bytes a second, such as "20M"')
    return found


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


class ForgetSettings(_Section):
    """`[vault.forget]`: what `restic forget` is told to keep here (`--keep-daily` and its like); 0 is unset.

    Vigie forgets nothing: `vigie timeline` warns where this would drop the last clean version of something.
    """

    last: Annotated[int, Field(ge=0)] = 0
    """`--keep-last`."""
    hourly: Annotated[int, Field(ge=0)] = 0
    """`--keep-hourly`."""
    daily: Annotated[int, Field(ge=0)] = 0
    """`--keep-daily`."""
    weekly: Annotated[int, Field(ge=0)] = 0
    """`--keep-weekly`."""
    monthly: Annotated[int, Field(ge=0)] = 0
    """`--keep-monthly`."""
    yearly: Annotated[int, Field(ge=0)] = 0
    """`--keep-yearly`."""


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
    forget: ForgetSettings = ForgetSettings()
    """What is kept when snapshots are forgotten."""


def _network(text: str) -> str:
    ip_network(text, strict=False)
    return text


class SambaSettings(_Section):
    """`[guard.samba]`: how SMB clients are named and cut off."""

    ports: tuple[Annotated[int, Field(gt=0, lt=65536)], ...] = (139, 445)
    """Where Samba listens."""
    never_cut: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Addresses and networks (`192.0.2.7`, `192.0.2.0/28`) that are never cut off, only told of: terminal
    servers, gateways behind which many work, machines that keep backups."""
    config: str = ""
    """The smb.conf that smbstatus and smbcontrol are to use; empty means Samba's own."""


class LastResortSettings(_Section):
    """`[guard.last_resort]`: what `--contain` does where files are destroyed and nobody can be named."""

    close_shares: tuple[str, ...] = ()
    """Samba shares whose connections are ended; clients connect again by themselves."""
    read_only: tuple[str, ...] = ()
    """Mount points that are made read-only."""


class AlertSettings(_Section):
    """`[guard.alerts]`: who is told, while the guard works (see [alerts.md](alerts.md))."""

    urls_file: str = ""
    """A file (mode 600) with an address of apprise a line: `mailto://…`, `ntfys://…`, an SMS gateway."""
    language: Literal["fr", "en"] = "fr"
    """Of what people are told."""
    contact: str = ""
    """Whom to call, with the number: stands in every message."""
    syslog: str = ""
    """`udp://host:514`, `tcp://host:601` or `unix:///dev/log` (RFC 5424)."""
    ecs_file: str = ""
    """A file for a SIEM: JSON Lines in the Elastic Common Schema."""


class CommandSettings(_Section):
    """`[[guard.command]]`: a program of your own that runs when there is an incident that acts."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What people call it."""
    run: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its words; no shell. The incident comes as JSON on its standard input."""
    undo: tuple[str, ...] = ()
    """What `vigie release` and the expiry run."""
    seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """After so long it is killed, with all that it started."""


class MetricsSettings(_Section):
    """`[guard.metrics]`: figures for Prometheus."""

    textfile: str = ""
    """A file for node_exporter's textfile collector (`….prom`), written every 15 seconds."""
    listen: Annotated[str, Field(pattern=r"^$|^[\w.:\[\]-]+:\d{1,5}$")] = ""
    """`127.0.0.1:9842`: answer there by HTTP."""


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
    samba: SambaSettings = SambaSettings()
    """How SMB clients are named and cut off."""
    keep_close: Annotated[float, Field(ge=0, le=86400)] = 60.0
    """Seconds within which a healthy file that was written is in the vault, where `vault.repository` and
    `vault.password_file` are set; 0 keeps none."""
    seal: bool = True
    """Whether the vault forgets nothing from an incident that acts until it is released."""
    metrics: MetricsSettings = MetricsSettings()
    """Figures for Prometheus."""
    alerts: AlertSettings = AlertSettings()
    """Who is told."""
    command: tuple[CommandSettings, ...] = ()
    """Programs of your own, in order: `[[guard.command]]` tables with `name`, `run`, and maybe `undo`,
    `seconds`."""
    last_resort: LastResortSettings = LastResortSettings()
    """What is done where nobody can be named."""


class OrderSettings(_Section):
    """`[[recover.order]]`: one step of a restore, and what belongs to it."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What people call it."""
    words: tuple[str, ...] = ()
    """Words in names of files and folders, as shell patterns, without accents and capitals: `allerg*`."""
    paths: tuple[str, ...] = ()
    """Shell patterns of whole paths."""
    formats: tuple[str, ...] = ()
    """Names of formats, as `vigie check` gives them: `dicom`."""
    days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Only what changed within so many days before the newest snapshot; 0 means all."""
    newest_first: bool = False
    """The newest files first; in the order of their paths otherwise."""

    @model_validator(mode="after")
    def _takes_something(self) -> Self:
        if not (self.words or self.paths or self.formats):
            raise ValueError("it takes nothing: give words, paths or formats")
        return self


class RecoverSettings(_Section):
    """`[recover]`: how files are handed back."""

    limit: Annotated[int, BeforeValidator(rate)] = 0
    """Bytes a second that are read from the backup, such as `"20M"`; 0 is as fast as can be."""
    order: tuple[OrderSettings, ...] = ()
    """Steps, most urgent first: `[[recover.order]]` tables with `name` and any of `words`, `paths`,
    `formats`, `days`, `newest_first` (see [recover.md](recover.md)); none means the built-in order."""


class Settings(_Section):
    """All of `vigie.toml`."""

    check: CheckSettings = CheckSettings()
    vault: VaultSettings = VaultSettings()
    guard: GuardSettings = GuardSettings()
    recover: RecoverSettings = RecoverSettings()


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
        problem = f"{'.'.join(where)}: {first['msg'].removeprefix('Value error, ')}"
        return BadSettings(subject, problem, "Mend the value, or take the line out.")
    known = _keys_of(Settings, where[:-1])
    near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
    remedy = f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(sorted(known))}."
    return BadSettings(subject, f'there is no setting "{".".join(where)}"', remedy)


def _keys_of(section: Any, where: list[str]) -> list[str]:
    for name in where:
        # A number is one of several tables.
        section = get_args(section)[0] if name.isdecimal() else section.model_fields[name].annotation
    return list(section.model_fields)


def _line_of(text: str, where: list[str]) -> int:
    """The 1-based line on which the key at `where` stands (or its section, or the first)."""
    section: list[str] = []
    best, tables = 1, Counter[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[?)\[\s*([^\[\]]+?)\s*\]", line):
            section = [part.strip().strip("\"'") for part in header[2].split(".")]
            if header[1]:
                name = ".".join(section)
                section.append(str(tables[name]))
                tables[name] += 1
            if section == where[: len(section)]:
                best = number
        elif key := re.match(r"\s*([^=#]+?)\s*=", line):
            full = section + [part.strip().strip("\"'") for part in key[1].split(".")]
            if full == where[: len(full)]:
                return number
    return best
