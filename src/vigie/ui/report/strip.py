"""An explained verdict as a picture: what a file's format expects, what looks random, what was struck.

Three bands over one axis of bytes. Height says in every band what colour says: a low expectation allows no
random bytes, a full one allows any; so a random bar that is higher than what is expected above it is the
answer. Sizes are chosen to be read on a desk, and on a telephone once turned or enlarged.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from unicodedata import east_asian_width

from vigie.judge import Explanation, Stretch
from vigie.model import Kind, State
from vigie.ui.report.drawing import Arrow, Box, Picture, Words, printable
from vigie.ui.report.language import Language
from vigie.ui.report.strip_words import about, kinds, offset, places, ticks, told

WIDTH = 960
_EDGE = 40
_INNER = WIDTH - 2 * _EDGE
_BAND, _STEP = 44, 104
"""Height of a band, and from one to the next."""
_LINE = 24
_ALLOWED = {Kind.STRUCTURED: 0.28, Kind.CODED: 0.64, Kind.OPAQUE: 1.0}
"""How much of the height of its band an expectation takes."""
_THIN = 3.0
"""Width of a hit at least, however large the file is."""
_EVIDENCE = 8
_Shape = Box | Arrow | Words


def strip(explanation: Explanation, name: str, language: Language) -> Picture:
    """Draw a verdict on the file called `name` (any string is safe)."""
    state = explanation.verdict.state.value
    shapes: list[_Shape] = [*_head(explanation, name, language)]
    y = 124.0
    if explanation.stretches:
        for band in (_expected, _random, _struck):
            shapes += band(explanation, y, language)
            y += _STEP
        y -= _STEP - 30 - _BAND
        shapes += _axis(explanation.size, y, language)
        y += 84
    else:
        shapes.append(
            Words(_EDGE, y, language.say("unmeasured" if explanation.size else "nothing"), "dim", 17)
        )
        y += 48
    told_places, beyond = places(explanation)
    sentences = [told(place, language) for place in told_places]
    sentences += [language.say("more", n=beyond)] if beyond else []
    evidence = explanation.verdict.evidence
    reasons = list(evidence[:_EVIDENCE])
    reasons += (
        [language.say("evidence.more", n=len(evidence) - _EVIDENCE)] if len(evidence) > _EVIDENCE else []
    )
    for heading, paragraphs in (("places", sentences), ("evidence", reasons)):
        if paragraphs:
            listed, y = _listed(language.say(heading), paragraphs, y)
            shapes += listed
    height = round(y - 8)
    said = language.say("description", name=name, state=language.say(f"state.{state}"))
    description = " ".join([said, *sentences])
    page = Box(0, 0, WIDTH, height, "page")
    return Picture(WIDTH, height, f"Vigie · {name}", description, language.code, (page, *shapes))


def _head(explanation: Explanation, name: str, language: Language) -> Iterator[_Shape]:
    state = explanation.verdict.state
    word = language.say(f"state.{state}").upper()
    badge = _width(word, 17) * 1.1 + 36
    yield Words(_EDGE, 58, _elided(name, 26, _INNER - badge - 24), size=26, bold=True)
    yield Box(WIDTH - _EDGE - badge, 30, badge, 38, state.value, round=19)
    yield Words(WIDTH - _EDGE - badge / 2, 55, word, "badge", 17, bold=True, anchor="middle")
    yield Words(_EDGE, 90, _elided(" · ".join(about(explanation, language)), 17, _INNER), "dim", 17)


def _band(title: str, legend: Iterable[tuple[str, float, str]], y: float) -> Iterator[_Shape]:
    """The frame of a band: its name, its legend (role, height, meaning), and where nothing stands."""
    yield Words(_EDGE, y + 18, title, size=17, bold=True)
    x = _EDGE + _width(title, 17) * 1.1 + 20
    for role, share, meaning in legend:
        yield Box(x, y + 4, 18, 16, "track")
        yield Box(x, y + 4 + 16 * (1 - share), 18, 16 * share, role)
        yield Words(x + 25, y + 18, meaning, "dim", 15)
        x += 25 + _width(meaning, 15) + 18
    yield Box(_EDGE, y + 30, _INNER, _BAND, "track")


def _expected(explanation: Explanation, y: float, language: Language) -> Iterator[_Shape]:
    legend = [(kind.value, _ALLOWED[kind], language.say(f"meaning.{kind}")) for kind in kinds(explanation)]
    if any(stretch.expected is None for stretch in explanation.stretches):
        legend.append(("track", 1.0, language.say("kind.none")))
    yield from _band(language.say("expected"), legend, y)
    for kind, run in groupby(explanation.stretches, key=lambda stretch: stretch.expected):
        if kind is not None:
            yield _bar(list(run), explanation.size, y, kind.value, _ALLOWED[kind])


def _random(explanation: Explanation, y: float, language: Language) -> Iterator[_Shape]:
    legend = [("random", 0.64, language.say("share"))]
    if any(stretch.random is None for stretch in explanation.stretches):
        legend.append(("line", 0.12, language.say("unread")))
    yield from _band(language.say("random"), legend, y)
    for share, run in groupby(explanation.stretches, key=lambda stretch: stretch.random):
        if share is None:
            yield _bar(list(run), explanation.size, y, "line", 0.12)
        elif share:
            yield _bar(list(run), explanation.size, y, "random", share, 0.5 + share / 2)


def _struck(explanation: Explanation, y: float, language: Language) -> Iterator[_Shape]:
    name = "broken" if explanation.verdict.state is State.DAMAGED else "struck"
    role = "flaw" if name == "broken" else "struck"
    hits = _hits(explanation)
    flawed = any(stretch.flawed and not stretch.struck for stretch in explanation.stretches)
    legend = [(role, 1.0, language.say(f"hit.{name}"))] if hits else []
    legend += [("flaw", 0.2, language.say("flawed"))] if flawed else []
    yield from _band(language.say(name), legend or [("track", 1.0, language.say("hit.none"))], y)
    for flaw, run in groupby(
        explanation.stretches, key=lambda stretch: stretch.flawed and not stretch.struck
    ):
        if flaw:
            yield _bar(list(run), explanation.size, y, "flaw", 0.2)
    for start, end in hits:
        yield Box(start, y + 30, end - start, _BAND, role)
        if end - start < 12:
            yield Arrow((start + end) / 2, y + 32 + _BAND, 10, role)


def _hits(explanation: Explanation) -> list[tuple[float, float]]:
    """Where the verdict's byte ranges lie on the page: at least `_THIN` wide, those that touch joined."""
    found: list[tuple[float, float]] = []
    for hit in explanation.verdict.ranges:
        start, end = _x(hit.start, explanation.size), _x(hit.end, explanation.size)
        start = min(start, WIDTH - _EDGE - _THIN)
        end = max(end, start + _THIN)
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def _bar(run: Sequence[Stretch], size: int, y: float, role: str, share: float, tint: float = 1.0) -> Box:
    # Whole units: neighbours meet without a hairline between them.
    left, right = round(_x(run[0].start, size)), round(_x(run[-1].end, size))
    return Box(left, y + 30 + _BAND * (1 - share), right - left, _BAND * share, role, tint)


def _axis(size: int, y: float, language: Language) -> Iterator[_Shape]:
    yield Box(_EDGE, y + 14, _INNER, 1, "line")
    for at in ticks(size, 9):
        x = _x(at, size)
        last = at == size
        if not last and _x(size, size) - x < 110:
            continue  # there the label of the end stands
        yield Box(min(x, WIDTH - _EDGE - 1), y + 14, 1, 6, "line")
        anchor = "start" if at == 0 else "end" if last else "middle"
        yield Words(x, y + 38, offset(at, size, language), "dim", 15, anchor=anchor)


def _listed(heading: str, paragraphs: Iterable[str], y: float) -> tuple[list[_Shape], float]:
    shapes: list[_Shape] = [Words(_EDGE, y, heading, size=17, bold=True)]
    y += _LINE + 4
    for paragraph in paragraphs:
        shapes.append(Box(_EDGE + 2, y - 8, 5, 5, "dim", round=2.5))
        for line in _wrapped(paragraph, 16, _INNER - 18):
            shapes.append(Words(_EDGE + 18, y, line))
            y += _LINE
        y += 3
    return shapes, y + 18


def _x(at: int, size: int) -> float:
    return _EDGE + _INNER * min(at, size) / size


def _width(text: str, size: float) -> float:
    """How wide a text is at most in a common typeface; none is at hand to measure it."""
    ems = 0.0
    for c in printable(text):
        if east_asian_width(c) in "WF":
            ems += 1.0
        elif c in " .,:;'’!|()[]iljtfr\u00a0\u202f":
            ems += 0.4
        else:
            ems += 0.92 if c in "mwMW@%…" else 0.75 if c.isupper() else 0.645
    return ems * size


def _elided(name: str, size: float, room: float) -> str:
    """A name that fits, if need be without its middle: the ending tells most."""
    text = printable(name)
    if _width(text, size) <= room:
        return text
    keep = len(text[:400])
    while keep > 2 and _width(text[: -(-keep // 2)] + "…" + text[-(keep // 2) :], size) > room:
        keep -= 1
    return text[: -(-keep // 2)] + "…" + text[-(keep // 2) :]


def _wrapped(paragraph: str, size: float, room: float) -> Iterator[str]:
    """Lines that fit, three at most; a word that is too long by itself is cut."""
    left = printable(paragraph)[:2000]
    for number in range(3):
        if _width(left, size) <= room:
            yield left
            return
        fits = next(n for n in range(len(left), -1, -1) if _width(left[:n], size) <= room)
        if number == 2:
            yield left[: fits - 1] + "…"
            return
        space = left.rfind(" ", fits // 2, fits + 1)
        cut = space if space > 0 else fits
        yield left[:cut]
        left = left[cut:].lstrip(" ")
