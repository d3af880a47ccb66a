"""Words and times as the timeline's report writes them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from vigie.ui.report import language
from vigie.ui.report.document import text
from vigie.ui.report.language import Language
from vigie.ui.report.words_timeline import ENGLISH, FRENCH

_SHARED = ("date", "months")
_LONGEST = 160
"""Characters of a path that are shown."""
_FIRST, _LAST = datetime(1900, 1, 2, tzinfo=UTC).timestamp(), datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""Between these every time zone has a date; what a backup says may lie anywhere."""


def _of(plain: Language, texts: Mapping[str, str]) -> Language:
    return replace(plain, words={**{key: plain.words[key] for key in _SHARED}, **texts})


LANGUAGES = tuple(map(_of, language.LANGUAGES, (FRENCH, ENGLISH)))


def both(key: str) -> str:
    """A text without places to fill in, in both languages, one of which is shown."""
    return f'<span class="w" lang="fr">{FRENCH[key]}</span><span class="w" lang="en">{ENGLISH[key]}</span>'


def dated(chosen: Language, time_ns: int) -> str:
    """Day and minute in words, where this machine is; a time that no calendar has is brought to its edge."""
    return chosen.date(int(_within(time_ns) * 1e9)).replace(" ", "\u00a0")


def stamp(time_ns: int) -> str:
    """Day and minute in figures, as ISO 8601 writes them, where this machine is."""
    return _local(time_ns).strftime("%Y-%m-%d %H:%M")


def zone(time_ns: int) -> str:
    """What the clock of this machine is called, and how far it was from UTC then."""
    return _local(time_ns).strftime("%Z, UTC%z")


def figure(number: int) -> str:
    """A whole number, in groups of three as both languages can read them (ISO 80000-1, section 7.3.1)."""
    return f"{number:,}".replace(",", "\u202f")


def size(count: int) -> str:
    """Bytes, in a unit that both languages read."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < 4:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f}\u00a0{('B', 'kB', 'MB', 'GB', 'TB')[unit]}"


def cut(raw: str, most: int) -> str:
    """Escaped for HTML, and short: of what is longer, the beginning and the end."""
    if len(raw) > most:
        end = most // 3
        raw = f"{raw[: most - end - 1]}…{raw[-end:]}"
    return text(raw)


def breaking(raw: str) -> str:
    """A path or a name, escaped and short; where it must break, behind its slashes before elsewhere."""
    return cut(raw, _LONGEST).replace("/", "/<wbr>")


def in_type(raw: str, css: str = "path") -> str:
    """The same in type of one width."""
    return f'<span class="{css}">{breaking(raw)}</span>'


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(_within(time_ns)).astimezone()


def _within(time_ns: int) -> float:
    return min(max(time_ns / 1e9, _FIRST), _LAST)
