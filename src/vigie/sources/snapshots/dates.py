"""The time in the name of a snapshot folder, as the tools in use write it.

btrbk `home.20261103T0800`, sanoid `autosnap_2026-11-03_08:00:01_daily`, zfs-auto-snapshot
`zfs-auto-snap_daily-2026-11-03-0000`, zrepl `zrepl_20261103_080001_000`, timeshift `2026-11-03_08-00-01`,
Time Machine `2026-11-03-080001`, Samba `@GMT-2026.11.03-08.00.01`, ISO dates, and French ones (`03-11-2026`).
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_LONGEST = 255
"""Bytes of a name in Linux; nothing longer is looked at."""

_CLOCK = (
    r"(?:[T_ .@h-]{0,2}(?P<hour>\d{2})[-:._h]?(?P<minute>\d{2})(?:[-:._m]?(?P<second>\d{2}))?"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})?)?(?!\d)"
)
_FORMS = (
    re.compile(
        r"(?<!\d)(?P<year>\d{4})(?P<sep>[-._]?)(?P<month>\d{2})(?P=sep)(?P<day>\d{2})" + _CLOCK, re.ASCII
    ),
    re.compile(
        r"(?<!\d)(?P<day>\d{2})(?P<sep>[-._])(?P<month>\d{2})(?P=sep)(?P<year>\d{4})" + _CLOCK, re.ASCII
    ),
)
_YEARS = range(1980, 2200)


def time_of(name: str, local: tzinfo | None = None) -> int | None:
    """The time that a name tells, or None; where it tells several, the last one.

    It is in the zone that stands there, in UTC where `@GMT-` does, else in `local`, by default that of this
    machine: that is what the tools do unless told otherwise.
    """
    if len(name) > _LONGEST:
        return None
    found = [match for form in _FORMS for match in form.finditer(name)]
    for match in sorted(found, key=lambda match: (match.start(), match.end()), reverse=True):
        at = _moment(match, UTC if "@GMT-" in name[: match.start()] else local)
        if at is not None:
            return at
    return None


def _moment(match: re.Match[str], local: tzinfo | None) -> int | None:
    part = {key: int(match[key] or 0) for key in ("year", "month", "day", "hour", "minute", "second")}
    if part["year"] not in _YEARS:
        return None
    try:
        at = datetime(**part, tzinfo=_zone(match["zone"]) or local)
        seconds = at.timestamp()
    except (ValueError, OverflowError):
        return None
    return int(seconds) * 1_000_000_000


def _zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    away = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-away if text[0] == "-" else away)
