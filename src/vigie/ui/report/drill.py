"""The drill's report: one page in French and English.

Whatever comes from the story is escaped: names of files and programs may be hostile.
"""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from vigie import __version__
from vigie.drill.story import Chapter, Column, Hit, Step, Story
from vigie.ui.report.document import document, text
from vigie.ui.report.language import LANGUAGES, Language
from vigie.ui.report.pictures import clock, share, timeline, zoom
from vigie.ui.report.words import LIMITS

MARK = "<!-- vigie drill report -->"
"""By this a former report is recognised, which a new one may replace."""
_ROWS = 50
"""Files that are named one by one."""


def page(story: Story) -> str:
    """The report, as HTML."""
    bodies = "".join(_body(story, language) for language in LANGUAGES)
    french, english = (language.say("title") for language in LANGUAGES)
    return document(bodies, mark=MARK, titles=(french, english), styles=("style.css",))


def _body(story: Story, language: Language) -> str:
    say = language.say
    parts = (
        f'<p class="eyebrow">{say("eyebrow")}</p>\n<h1>{say("title")}</h1>\n',
        f'<p class="when">{language.date(story.began_ns)}. {say("invented")}</p>\n',
        _verdict(story, language),
        _section("figures", language, _figures(story, language)),
        _section("story", language, timeline(story.steps, language) + _story(story.steps, language)),
        _section("vault", language, _vault(story.columns, language)),
        _section("attack", language, _attack(story, language)),
        _section("limits", language, _limits(story.lost, language)),
        _section("real", language, _list("steps", "ol", _numbered("real", language))),
        _section("how", language, "".join(f"<p>{text}</p>\n" for text in _numbered("how", language))),
        _footer(story, language),
    )
    return f'<article lang="{language.code}">\n{"".join(parts)}</article>\n'


def _section(key: str, language: Language, inside: str) -> str:
    name = f"{key}-{language.code}"
    return (
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{language.say(key)}</h2>\n{inside}</section>\n'
    )


def _verdict(story: Story, language: Language) -> str:
    summary = story.summary
    key = "all_back" if story.identical == summary.files else "some_back"
    back = language.say(key, files=summary.files, back=story.identical)
    false = summary.false_alarms
    alarms = language.count("alarms", false) if false else language.say("quiet")
    word, sign = ("passed", "✓") if story.passed else ("failed", "✗")
    return (
        f'<div class="verdict {word}"><span class="sign" aria-hidden="true">{sign}</span>'
        f"<div><h2>{language.say(word)}</h2><p>{back} {alarms}</p></div></div>\n"
    )


def _figures(story: Story, language: Language) -> str:
    summary, say = story.summary, language.say
    frozen = summary.frozen_after_s
    figures = (
        ("frozen", say("none") if frozen is None else language.span(frozen)),
        ("lost", language.number(summary.files_lost)),
        ("back", language.number(story.identical)),
        ("alarms", language.number(summary.false_alarms)),
        ("unrecoverable", language.number(summary.unrecoverable)),
        ("duration", language.span(summary.duration_s)),
    )
    cells = []
    for key, figure in figures:
        words = (
            say("f.not_frozen")
            if key == "frozen" and frozen is None
            else say(f"f.{key}", files=summary.files)
        )
        cells.append(
            f'<div><dt>{say(f"h.{key}")}</dt><dd class="big">{figure}</dd>'
            f'<dd class="words">{words}</dd></div>\n'
        )
    return f'<dl class="figures">\n{"".join(cells)}</dl>\n'


def _story(steps: Iterable[Step], language: Language) -> str:
    rows = []
    for step in steps:
        mark = ' class="attack"' if step.chapter is Chapter.ATTACK else ""
        name = language.say(f"c.{step.chapter}")
        rows.append(
            f"<li{mark}><time>{clock(step.began)}</time> <strong>{name}</strong> "
            f"<p>{escape(told(step, language))}</p></li>\n"
        )
    return f'<ol class="story">\n{"".join(rows)}</ol>\n'


def told(step: Step, language: Language) -> str:
    """What a step has to say, as a sentence."""
    return _TOLD[step.chapter](step.facts, language)


def _keep(facts: dict[str, Any], language: Language) -> str:
    told = language.say("t.keep", **{key: facts[key] for key in ("files", "intact", "encrypted")})
    others = facts["files"] - facts["intact"] - facts["encrypted"]
    return f"{told} {language.say('t.others', n=others)}" if others else told


def _told_attack(facts: dict[str, Any], language: Language) -> str:
    after = facts["frozen_after_s"]
    if after is None:
        return language.say("t.attack_free", lost=facts["lost"])
    return language.say("t.attack", lost=facts["lost"], ms=language.span(after))


_TOLD: dict[Chapter, Callable[[dict[str, Any], Language], str]] = {
    Chapter.PRACTICE: lambda f, lang: lang.say(
        "t.practice", files=f["files"], patients=f["patients"], size=lang.megabytes(f["bytes"])
    ),
    Chapter.FIRST_KEEP: _keep,
    Chapter.GUARD: lambda f, lang: lang.say("t.guard", files=f["files"], sensor=f["sensor"]),
    Chapter.WORK: lambda f, lang: lang.say("t.work", steps=len(f["work"]), alarms=f["alarms"]),
    Chapter.SECOND_KEEP: _keep,
    Chapter.ATTACK: _told_attack,
    Chapter.THIRD_KEEP: _keep,
    Chapter.TIMELINE: lambda f, lang: lang.say(
        "t.timeline", snapshots=f["snapshots"], affected=f["affected"]
    ),
    Chapter.RECOVER: lambda f, lang: lang.say("t.recover", restored=f["restored"], verified=f["verified"]),
    Chapter.PROOF: lambda f, lang: lang.say(
        "t.proof",
        identical=f["identical"],
        files=f["files"],
        rows=f["journal_rows"],
        problems=f["vault_problems"],
    ),
}


def _vault(columns: tuple[Column, ...], language: Language) -> str:
    """The snapshots as columns, the folders as rows: a table, since that is what it is."""
    say = language.say
    names = [say(f"v.{key}") for key in (Chapter.FIRST_KEEP, Chapter.SECOND_KEEP, Chapter.THIRD_KEEP)]
    heads = "".join(
        f'<th scope="col">{name}<span class="when">{text(column.snapshot[:8])}</span></th>'
        for name, column in zip(names, columns, strict=False)
    )
    rows = []
    for folder in sorted({folder for column in columns for folder in column.folders}):
        cells = "".join(_cell(*column.folders.get(folder, (0, 0)), language) for column in columns)
        rows.append(f'<tr><th scope="row">{text(folder)}</th>{cells}</tr>\n')
    totals = "".join(_cell(column.files, column.encrypted, language) for column in columns)
    return (
        f"<p>{say('vault.lead')}</p>\n"
        f'<table class="grid-table">\n<thead><tr><th scope="col">{say("folder")}</th>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n"
        f'<tfoot><tr><th scope="row">{say("all")}</th>{totals}</tr></tfoot>\n</table>\n'
    )


def _cell(files: int, hit: int, language: Language) -> str:
    if not files:
        return f'<td class="empty">{language.say("empty")}</td>'
    if not hit:
        return f"<td>{language.count('clean', files)}</td>"
    words = language.count("cell", hit, files=files)
    return f'<td class="encrypted">{words}{share(hit, files)}</td>'


def _attack(story: Story, language: Language) -> str:
    say = language.say
    picture = zoom(story.summary, language) or f"<p>{say('free')}</p>\n"
    who = _who(story.actor, language) if story.actor else f"<p>{say('nobody')}</p>\n"
    return f"{picture}<h3>{say('named')}</h3>\n{who}{_hits(story.hits, language)}"


def _who(actor: dict[str, Any], language: Language) -> str:
    command = " ".join(actor.get("command", ()))
    facts = (
        ("executable", "path", actor.get("executable", "")),
        ("pid", "", actor.get("pid", "")),
        ("user", "", actor.get("user", "")),
        ("command", "command", command),
    )
    rows = "".join(
        f'<dt>{language.say(key)}</dt><dd class="{css}">{text(str(value))}</dd>\n'
        for key, css, value in facts
        if value != ""
    )
    chain = [f"{parent['executable']} ({parent['pid']})" for parent in actor.get("parents", ())]
    if chain:
        items = "".join(f'<li class="path">{text(parent)}</li>' for parent in chain)
        rows += f"<dt>{language.say('parents')}</dt><dd><ol>{items}</ol></dd>\n"
    return f'<dl class="who">\n{rows}</dl>\n'


def _hits(hits: tuple[Hit, ...], language: Language) -> str:
    if not hits:
        return ""
    say = language.say
    yes, no = f'<span class="yes">✓ {say("came_back")}</span>', f"<strong>✗ {say('not_back')}</strong>"
    # What did not come back is named first.
    rows = "".join(
        f'<tr><td class="path">{text(hit.path)}</td><td>{yes if hit.came_back else no}</td></tr>\n'
        for hit in sorted(hits, key=lambda hit: hit.came_back)[:_ROWS]
    )
    more = f"<p>{say('more', n=len(hits) - _ROWS)}</p>\n" if len(hits) > _ROWS else ""
    return (
        f'<h3>{say("hits")}</h3>\n<table class="files">\n<thead><tr><th scope="col">{say("path")}</th>'
        f'<th scope="col">{say("outcome")}</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{more}'
    )


def _limits(lost: tuple[str, ...], language: Language) -> str:
    if not lost:
        return f"<p>{language.say('no_limits')}</p>\n"
    items = []
    for limit in lost:
        known = LIMITS.get(limit) if language.code == "fr" else limit
        items.append(text(known) if known else f'<span lang="en">{text(limit)}</span>')
    return _list("limits", "ul", items)


def _numbered(key: str, language: Language) -> list[str]:
    """The texts `key.1`, `key.2`…: ours, with their own marks."""
    return [value for name, value in language.words.items() if name.startswith(f"{key}.")]


def _list(css: str, tag: str, items: Iterable[str]) -> str:
    return f'<{tag} class="{css}">\n' + "".join(f"<li>{item}</li>\n" for item in items) + f"</{tag}>\n"


def _footer(story: Story, language: Language) -> str:
    kept = (
        f'<p class="kept">{language.say("kept")} <span class="path">{text(story.kept)}</span></p>\n'
        if story.kept
        else ""
    )
    return f"<footer>\n{kept}<p>{language.say('made', version=__version__)}</p>\n</footer>\n"
