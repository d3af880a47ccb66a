"""The timeline's report: one page in French and English.

Whatever comes from a backup is escaped, and its size is bounded whatever the backups hold. It names patients'
files: whoever writes it keeps that file private.
"""

import shlex
from collections.abc import Sequence
from html import escape

from vigie import __version__
from vigie.model import Snapshot
from vigie.timeline import Attack, Caution, Oddity, Timeline, plan, short
from vigie.ui.report.document import document
from vigie.ui.report.language import Language
from vigie.ui.report.timeline_language import LANGUAGES, cut, dated, in_type, stamp, zone
from vigie.ui.report.timeline_picture import Picture, picture
from vigie.ui.report.timeline_tables import endings, named, never, notes, section, snapshots, waves
from vigie.ui.report.timeline_zoom import drawn

MARK = "<!-- vigie timeline report -->"
"""By this a former report is recognised, which a new one may replace."""
_SOME = 20
"""Cautions, and oddities met while reading, that are listed."""
_FEW = 5
"""Snapshots that a caution names."""
_NAME = 160


def page(
    timeline: Timeline, attack: Attack, cautions: Sequence[Caution], *, source: str, made_ns: int
) -> str:
    """The report, as HTML; `source` is what people call it, `made_ns` when it was read."""
    image = picture(timeline)
    lost = len(plan(timeline).lost)
    french, english = (language.say("title") for language in LANGUAGES)
    main = (
        *(
            _part(language, _opening(timeline, attack, language, source, made_ns))
            + _part(language, _figures(timeline, attack, image.unsure, lost, language))
            + _part(language, _cautions(cautions, language))
            + _part(language, _lead(timeline, image, language))
            for language in LANGUAGES
        ),
        drawn(timeline, image),
        *(_part(language, _rest(timeline, attack, image, language, source)) for language in LANGUAGES),
    )
    styles = ("style.css", "timeline.css")
    return document("".join(main), mark=MARK, titles=(french, english), styles=styles)


def _part(language: Language, inside: str) -> str:
    return f'<div lang="{language.code}">\n{inside}</div>\n'


def _opening(timeline: Timeline, attack: Attack, language: Language, source: str, made_ns: int) -> str:
    say = language.say
    made = say(
        "made_of",
        source=in_type(source),
        date=dated(language, made_ns),
        zone=escape(zone(made_ns)),
    )
    word, sign, css = ("seen", "✗", " attack") if timeline.first_hit else ("unseen", "✓", "")
    sentences = " ".join(filter(None, (_sentence(timeline, language), _earliest(timeline, attack, language))))
    return (
        f'<p class="eyebrow">{say("eyebrow")}</p>\n<h1>{say("title")}</h1>\n<p class="when">{made}</p>\n'
        f'<div class="verdict{css}"><span class="sign" aria-hidden="true">{sign}</span>'
        f"<div><h2>{say(word)}</h2><p>{sentences}</p></div></div>\n"
    )


def _sentence(timeline: Timeline, language: Language) -> str:
    """When it began, or that nothing is seen, and how sure that is."""
    hit, clean = timeline.first_hit, timeline.last_clean
    if hit is None:
        unread = sum(row.unread > 0 for row in timeline.rows)
        return language.count("nothing_read", unread) if unread else language.say("nothing")
    late = {"hit": dated(language, hit.time_ns), "hit_id": _id(hit)}
    if clean is not None:
        early = {"clean": dated(language, clean.time_ns), "clean_id": _id(clean)}
        already = language.count("already", timeline.already) if timeline.already else ""
        return f"{language.say('began', **late, **early)} {already}".rstrip()
    return language.say("began_before" if timeline.rows[0].snapshot == hit else "began_later", **late)


def _earliest(timeline: Timeline, attack: Attack, language: Language) -> str:
    """The first file of the wave with which it began."""
    wave = next((wave for wave in attack.waves if wave.first == timeline.first_hit), None)
    if wave is None or wave.earliest is None:
        return ""
    return language.say(
        "earliest", path=in_type(wave.earliest.path), date=dated(language, wave.earliest.mtime_ns)
    )


def _figures(timeline: Timeline, attack: Attack, unsure: int, lost: int, language: Language) -> str:
    say, number = language.say, language.number
    clean = timeline.last_clean
    unread = sum(row.unread > 0 for row in timeline.rows)
    figures = (
        ("affected", number(timeline.affected), say("f.affected")),
        ("lost", number(lost), say("f.lost")),
        ("clean", stamp(clean.time_ns) if clean else say("none"), say("f.clean" if clean else "f.no_clean")),
        ("never", number(attack.never_hit), say("f.never")),
        ("unsure", number(unsure), say("f.unsure")),
        (
            "snapshots",
            number(len(timeline.rows)),
            language.count("f.snapshots", unread) if unread else say("f.all_read"),
        ),
    )
    cells = "".join(
        f'<div><dt>{say(f"h.{key}")}</dt><dd class="big {key}">{figure}</dd>'
        f'<dd class="words">{words}</dd></div>\n'
        for key, figure, words in figures
    )
    return section("figures", language, f'<dl class="figures">\n{cells}</dl>\n')


def _cautions(cautions: Sequence[Caution], language: Language) -> str:
    say = language.say
    if not cautions:
        return section("cautions", language, f"<p>{say('no_cautions')}</p>\n")
    items = "".join(f"<li>{_caution(caution, language)}</li>\n" for caution in cautions[:_SOME])
    if len(cautions) > _SOME:
        items += f"<li>{say('and_more', n=len(cautions) - _SOME)}</li>\n"
    inside = f'<p>{say("cautions.lead")}</p>\n<ul class="limits">\n{items}</ul>\n'
    return section("cautions", language, inside, css="warning")


def _caution(caution: Caution, language: Language) -> str:
    counted = caution.files if caution.oddity in (Oddity.TINY, Oddity.NEEDED) else len(caution.snapshots)
    names = ", ".join(
        f'<span class="at">{stamp(s.time_ns)} ({_id(s)})</span>' for s in caution.snapshots[:_FEW]
    )
    if len(caution.snapshots) > _FEW:
        names += f" {language.say('and_more', n=len(caution.snapshots) - _FEW)}"
    return f"{language.count(f'o.{caution.oddity}', counted)} {names}"


def _lead(timeline: Timeline, image: Picture, language: Language) -> str:
    """What goes before the picture, which is the same for both languages."""
    say = language.say
    parts = [f"<p>{say('picture.lead')}</p>\n"]
    if len(image.columns) < len(timeline.rows):
        parts.append(f"<p>{say('drawn', shown=len(image.columns), all=len(timeline.rows))}</p>\n")
    if len(image.folders) < image.all_folders:
        parts.append(f"<p>{say('grouped', shown=len(image.folders), all=image.all_folders)}</p>\n")
    return section("picture", language, "".join(parts))


def _rest(timeline: Timeline, attack: Attack, image: Picture, language: Language, source: str) -> str:
    say = language.say
    limits = "".join(f"<li>{say(f'limits.{number}')}</li>\n" for number in range(1, 6))
    parts = [
        section("waves", language, waves(attack, language)),
        section("endings", language, endings(attack, language)),
        section("notes", language, notes(attack, language)),
        section("never", language, never(attack, image, language)),
        section("snapshots", language, snapshots(timeline, language)),
        section("limits", language, f'<ul class="limits">\n{limits}</ul>\n'),
    ]
    if timeline.notes:
        odd = "".join(f"<li>{cut(note, 2 * _NAME)}</li>\n" for note in timeline.notes[:_SOME])
        if len(timeline.notes) > _SOME:
            odd += named(language.code, say("and_more", n=len(timeline.notes) - _SOME))
        parts.append(section("odd", language, f'<ul class="limits" lang="en">\n{odd}</ul>\n'))
    if timeline.first_hit:
        parts.append(section("next", language, _next(language, source)))
    parts.append(f"<footer>\n<p>{say('made', version=__version__)}</p>\n</footer>\n")
    return "".join(parts)


def _next(language: Language, source: str) -> str:
    command = f"vigie recover {shlex.quote(source)}"
    plan_first, then = (
        f"<code>{cut(f'{command} {rest}', 4 * _NAME)}</code>" for rest in ("--plan", "--to DIR")
    )
    return (
        f'<ol class="steps">\n<li>{language.say("next.1", plan=plan_first)}</li>\n'
        f"<li>{language.say('next.2', recover=then)}</li>\n</ol>\n"
    )


def _id(snapshot: Snapshot) -> str:
    return in_type(short(snapshot))
