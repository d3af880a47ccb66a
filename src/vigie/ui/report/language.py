"""Numbers, times and sentences as a language writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vigie.ui.report import words


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the report."""

    code: str
    """BCP 47, for `lang`."""
    words: Mapping[str, str]
    thousands: str
    point: str
    singular: tuple[int, ...]
    """Numbers that go with the singular."""

    def say(self, key: str, **fill: Any) -> str:
        """A text, filled in: whole numbers are written as the language does."""
        return self.words[key].format(**{k: self.number(v) if type(v) is int else v for k, v in fill.items()})

    def count(self, key: str, n: int, **fill: Any) -> str:
        """A text that counts."""
        return self.say(f"{key}.{'one' if n in self.singular else 'many'}", n=n, **fill)

    def number(self, n: int) -> str:
        """1 234 or 1,234."""
        return f"{n:,}".replace(",", self.thousands)

    def decimal(self, value: float, digits: int = 1) -> str:
        """1,5 or 1.5."""
        whole, _, rest = f"{value:.{digits}f}".partition(".")
        return self.number(int(whole)) + (self.point + rest if rest else "")

    def span(self, seconds: float) -> str:
        """A length of time, to what matters of it: 6 ms, 3.1 s, 1 min 25 s."""
        if seconds < 1:
            return self.say("unit.ms", n=round(seconds * 1000))
        if seconds < 60:
            return self.say("unit.s", n=self.decimal(seconds))
        minutes, rest = divmod(round(seconds), 60)
        return self.words["unit.min"].format(m=minutes, s=rest)

    def megabytes(self, size: int) -> str:
        """A size, in millions of bytes."""
        return self.say("unit.mb", n=self.decimal(size / 1e6))

    def date(self, time_ns: int) -> str:
        """Day and minute, where this machine is."""
        at = datetime.fromtimestamp(time_ns / 1e9).astimezone()
        month = self.words["months"].split()[at.month - 1]
        day = "1er" if self.code == "fr" and at.day == 1 else at.day
        return self.words["date"].format(day=day, month=month, year=at.year, hour=at.hour, minute=at.minute)


LANGUAGES = (
    Language("fr", words.FRENCH, "\u202f", ",", (0, 1)),
    Language("en", words.ENGLISH, ",", ".", (1,)),
)
