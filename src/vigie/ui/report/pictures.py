"""The report's pictures: inline SVG whose bars stretch with the page while the words keep their size.

Horizontal measures are percentages and vertical ones pixels, so that one picture is right on a desk, on a
telephone and on paper. Colours come from the page's style; every colour has a word beside it.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape

from vigie.drill.story import Chapter, Step, Summary
from vigie.ui.report.language import Language

_ROW = 46
"""Pixels a step takes: its words, and its bar below them."""
_TICKS = 5
_MIDDLE, _END = 'text-anchor="middle"', 'text-anchor="end"'


def clock(seconds: float) -> str:
    """Minutes and seconds since the start: 01:25."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def timeline(steps: Sequence[Step], language: Language) -> str:
    """The steps on an axis of time."""
    end = max((step.began + step.seconds for step in steps), default=0.0) or 1.0
    attack = next((step.began for step in steps if step.chapter is Chapter.ATTACK), 0.0)
    height = _ROW * len(steps)
    described = language.say("axis.desc", count=len(steps), duration=language.span(end), attack=clock(attack))
    parts = [_open("axis", language, language.say("axis"), described, height + 30)]
    for tick in _ticks(end):
        x = 100 * tick / end
        anchor = "start" if tick == 0 else "end" if x > 95 else "middle"
        parts.append(f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="{height + 6}"/>')
        parts.append(
            f'<text class="tick" x="{x:.2f}%" y="{height + 24}" text-anchor="{anchor}">{clock(tick)}</text>'
        )
    for row, step in enumerate(steps):
        top = row * _ROW
        name, span = escape(language.say(f"c.{step.chapter}")), language.span(step.seconds)
        mark, kind = ("▶ ", "bar now") if step.chapter is Chapter.ATTACK else ("", "bar")
        start, width = 100 * step.began / end, 100 * step.seconds / end
        parts.append(
            f'<rect class="track" x="0" y="{top + 24}" width="100%" height="10" rx="3"/>'
            f'<rect class="{kind}" x="{start:.2f}%" y="{top + 24}" width="{width:.2f}%" height="10" rx="2"/>'
            f'<text class="name" x="0" y="{top + 17}">{mark}{name}</text>'
            f'<text class="value" x="100%" y="{top + 17}" {_END}>{span}</text>'
        )
    return "".join(parts) + "</svg>"


def zoom(summary: Summary, language: Language) -> str:
    """From the first overwritten file to the freeze; empty where nothing was frozen."""
    if summary.frozen_after_s is None:
        return ""
    hit = language.say("zoom.files", lost=summary.files_lost, files=summary.files)
    after, zero = language.span(summary.frozen_after_s), language.span(0.0)
    first, end = language.say("zoom.first"), language.say("zoom.end")
    return (
        _open("zoom", language, language.say("zoom.title"), f"{after} · {hit}", 92)
        + f'<text class="name" x="50%" y="18" {_MIDDLE}>{after} · {escape(hit)}</text>'
        '<rect class="hit" x="0" y="32" width="100%" height="14" rx="3"/>'
        '<line class="end" x1="0" x2="0" y1="26" y2="58"/>'
        '<line class="end" x1="100%" x2="100%" y1="26" y2="58"/>'
        f'<text class="tick" x="0" y="78">{zero} · {escape(first)}</text>'
        f'<text class="tick" x="100%" y="78" {_END}>{after} · {escape(end)}</text></svg>\n'
    )


def share(hit: int, of: int) -> str:
    """How much of a folder is encrypted, as a bar under its figures."""
    width = max(4.0, 100 * hit / of)
    return (
        '<svg class="share" height="6" aria-hidden="true">'
        '<rect class="track" width="100%" height="6" rx="2"/>'
        f'<rect class="hit" width="{width:.1f}%" height="6" rx="2"/></svg>'
    )


def _open(name: str, language: Language, title: str, described: str, height: int) -> str:
    title_id, desc_id = f"{name}-title-{language.code}", f"{name}-desc-{language.code}"
    return (
        f'<svg class="{name}" role="img" width="100%" height="{height}" '
        f'aria-labelledby="{title_id} {desc_id}">'
        f'<title id="{title_id}">{escape(title)}</title><desc id="{desc_id}">{escape(described)}</desc>'
    )


def _ticks(end: float) -> Iterator[float]:
    """Round seconds, at most `_TICKS` of them."""
    rough = end / (_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(1.0, next(n * power for n in (1, 2, 3, 5, 6, 10) if n * power >= rough))
    for number in range(int(end / step) + 1):
        yield number * step
