"""The tables of the timeline's report: its waves, the endings, what was left behind, the snapshots."""

from collections import Counter
from collections.abc import Iterable, Sequence

from vigie.model import Snapshot
from vigie.timeline import Attack, Timeline, Wave, short
from vigie.ui.report.language import Language
from vigie.ui.report.timeline_language import in_type, stamp
from vigie.ui.report.timeline_picture import Picture

_SOME = 20
"""Rows of a table."""
_ROWS = 150
"""Snapshots that are listed, the newest."""


def section(key: str, language: Language, inside: str, css: str = "") -> str:
    """A part of the page under a heading of its own."""
    name = f"{key}-{language.code}"
    return (
        f'<section class="{css}" aria-labelledby="{name}">\n'
        f'<h2 id="{name}">{language.say(key)}</h2>\n{inside}</section>\n'
    )


def named(code: str, words: str) -> str:
    """A list item in another language than its list."""
    return f'<li lang="{code}">{words}</li>\n'


def waves(attack: Attack, language: Language) -> str:
    """Snapshots in a row with newly encrypted files."""
    if not attack.waves:
        return f"<p>{language.say('no_waves')}</p>\n"
    rows = [_wave(wave, language) for wave in attack.waves[:_SOME]]
    keys = ("w.when", "w.files", "w.folders", "w.pace", "w.first")
    return _table(keys, rows, len(attack.waves), language)


def _wave(wave: Wave, language: Language) -> Sequence[str]:
    say = language.say
    begin = _when(wave.clean) if wave.clean else say("w.start")
    end = f"<br>{say('w.until')} {_when(wave.last)}" if wave.last != wave.first else ""
    first = ""
    if wave.earliest:
        first = f"{in_type(wave.earliest.path)}<br>{stamp(wave.earliest.mtime_ns)}"
    return (
        f"{begin} – {_when(wave.first)}{end}",
        language.number(wave.files),
        language.number(wave.folders),
        say("w.slow" if wave.slow else "w.fast"),
        first,
    )


def endings(attack: Attack, language: Language) -> str:
    """What was put behind names, in all waves."""
    counted: Counter[str] = Counter()
    for wave in attack.waves:
        counted.update(dict(wave.endings))
    if not counted:
        return f"<p>{language.say('no_endings')}</p>\n"
    rows = [(in_type(ending), language.number(count)) for ending, count in counted.most_common(_SOME)]
    return _table(("ending", "w.files"), rows, len(counted), language)


def notes(attack: Attack, language: Language) -> str:
    """The same small file in many folders."""
    if not attack.notes:
        return f"<p>{language.say('no_notes')}</p>\n"
    rows = [
        (in_type(note.name), language.number(note.folders), in_type(note.example))
        for note in attack.notes[:_SOME]
    ]
    table = _table(("n.name", "n.folders", "n.example"), rows, len(attack.notes), language)
    return f"<p>{language.say('notes.lead')}</p>\n{table}"


def never(attack: Attack, image: Picture, language: Language) -> str:
    """How much was never hit, and where."""
    healthy = [folder.path or "/" for folder in image.folders if not folder.hit and folder.files]
    lead = f"<p>{language.count('never.lead', attack.never_hit)}</p>\n"
    if not healthy:
        return lead
    items = "".join(f"<li>{in_type(path)}</li>\n" for path in healthy)
    return f'{lead}<p>{language.say("never.folders")}</p>\n<ul class="limits">\n{items}</ul>\n'


def snapshots(timeline: Timeline, language: Language) -> str:
    """What each held, the newest first: what the picture shows, in figures."""
    number = language.number
    rows = [
        (
            _when(row.snapshot),
            *map(number, (row.files, row.new, row.changed)),
            f'<b class="bad">{number(row.encrypted)}</b>' if row.encrypted else "0",
            *map(number, (row.suspect, row.unread)),
        )
        for row in reversed(timeline.rows[-_ROWS:])
    ]
    keys = ("n.snapshot", "n.files", "n.new", "n.changed", "n.encrypted", "n.suspect", "n.unread")
    table = _table(keys, rows, len(timeline.rows), language)
    return f"<details>\n<summary>{language.say('n.show')}</summary>\n{table}</details>\n"


def _table(keys: Sequence[str], rows: Iterable[Sequence[str]], total: int, language: Language) -> str:
    """A table that can be moved sideways where the page is narrow."""
    listed = list(rows)
    heads = "".join(f'<th scope="col">{language.say(key)}</th>' for key in keys)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in listed)
    more = f"<p>… {language.say('and_more', n=total - len(listed))}</p>\n" if total > len(listed) else ""
    return (
        f'<div class="wide"><table class="plain">\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table></div>\n{more}"
    )


def _when(snapshot: Snapshot) -> str:
    return f"{stamp(snapshot.time_ns)} {in_type(short(snapshot), 'path soft')}"
