"""`vigie check --explain FILE`: why a verdict is what it is, the file drawn as a strip."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from rich.console import Console
from rich.text import Text

from vigie.errors import DiskFull, ExitCode, MissingProgram, NotPermitted, Unreadable, VigieError
from vigie.judge import Explanation
from vigie.model import Entry, Kind, Skipped, State, Verdict
from vigie.sources.file import in_words
from vigie.ui.cli import shown
from vigie.ui.cli.output import COLOURS, console, emit
from vigie.ui.report.drawing import printable, svg
from vigie.ui.report.language import Language
from vigie.ui.report.strip import strip
from vigie.ui.report.strip_words import WORDS, about, offset, places, ticks, told
from vigie.workers import Workers

_MARGIN = 2
_LABEL = 10
_WIDEST = 256
"""Columns of a strip at most: as many as an explanation has stretches."""
_EVIDENCE = 8


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """Characters that carry what colour says too, so that nothing is lost without it."""

    kinds: dict[Kind | None, str]
    shares: str
    """Of what looks random, from none to all."""
    unread: str
    struck: str
    flawed: str
    tick: str
    rule: str


_UNICODE = _Glyphs(
    {Kind.STRUCTURED: "▁", Kind.CODED: "▄", Kind.OPAQUE: "█", None: "?"}, " ░▒▓█", "·", "▲", "×", "┴", "─"
)
_ASCII = _Glyphs(
    {Kind.STRUCTURED: "_", Kind.CODED: "=", Kind.OPAQUE: "#", None: "?"}, " .:+#", "~", "^", "x", "+", "-"
)
_SPELT = str.maketrans({"·": "-", "²": "2", "±": "+-", "…": "...", "’": "'", "\u00a0": " ", "\u202f": " "})
_KINDS = {Kind.STRUCTURED: "blue", Kind.CODED: "cyan", Kind.OPAQUE: "white"}


@dataclass(frozen=True, slots=True)
class _Column:
    """What stands in one column of the terminal: all stretches that touch it."""

    expected: Kind | None
    random: float | None
    struck: bool
    flawed: bool


def run(
    workers: Workers, items: Iterable[Entry | Skipped], lang: str, picture: str | None, *, as_json: bool
) -> ExitCode:
    """Explain the one file that `items` holds, in the language "en" or "fr".

    Raises:
        VigieError: it is not one file, or the picture cannot be written.
    """
    language = WORDS[lang]
    if picture:
        refuse(picture)
    found = list(islice(items, 2))
    if len(found) != 1:
        raise VigieError("--explain", "it explains one file", "Name one file that is not excluded.")
    [item] = found
    explanation = _of(workers, item)
    if as_json:
        emit(record(item.path, explanation))
    else:
        show(console(), item.path, explanation, language)
    if picture:
        draw(picture, item.path, explanation, language)
    return exit_code(explanation)


def _of(workers: Workers, item: Entry | Skipped) -> Explanation:
    if isinstance(item, Skipped):
        return Explanation(0, Verdict.skipped(item.reason), (), (), (), ())
    try:
        blob = item.open()
    except Unreadable as reason:
        return Explanation(item.size, Verdict.skipped(reason.reason), (), (), (), ())
    try:
        return workers.explain(blob, item.path)
    finally:
        blob.close()


def exit_code(explanation: Explanation) -> ExitCode:
    """As `vigie check` ends for the one file."""
    match explanation.verdict.state:
        case State.ENCRYPTED | State.DAMAGED:
            return ExitCode.FOUND
        case State.SKIPPED:
            return ExitCode.PARTIAL
        case _:
            return ExitCode.CLEAN


def record(path: str, explanation: Explanation) -> dict[str, Any]:
    """The explanation as one JSON object: the record of `vigie check`, and what it was made from."""
    return {
        "path": path,
        "size": explanation.size,
        **explanation.verdict.record(),
        "stretches": [asdict(stretch) for stretch in explanation.stretches],
        "regions": [asdict(region) for region in explanation.regions],
        "flaws": [asdict(flaw) for flaw in explanation.flaws],
        "notes": list(explanation.notes),
    }


def show(out: Console, path: str, explanation: Explanation, language: Language) -> None:
    """Draw it in the terminal, as wide as that is."""
    state = explanation.verdict.state.value
    head = Text(language.say(f"state.{state}"), style=COLOURS[state])
    head.append(f"  {shown(path)}", style="bold")
    out.print(head, soft_wrap=True)
    _print(out, " · ".join(about(explanation, language)), "dim")
    out.print()
    if explanation.stretches:
        for line in _strip(out, explanation, language):
            out.print(line, no_wrap=True, overflow="crop", crop=True)
    else:
        _print(out, language.say("unmeasured" if explanation.size else "nothing"), "dim")
    out.print()
    found, beyond = places(explanation)
    sentences = [told(place, language) for place in found]
    _list(out, language.say("places"), sentences, language.say("more", n=beyond) if beyond else "")
    reasons = explanation.verdict.evidence
    left = len(reasons) - _EVIDENCE
    more = language.say("evidence.more", n=left) if left > 0 else ""
    _list(out, language.say("evidence"), reasons[:_EVIDENCE], more)


def refuse(place: str) -> None:
    """Refuse before the work a picture that could not be written after it.

    Raises:
        VigieError: it has an unknown ending, or something stands there.
        MissingProgram: PNG, and no Pillow.
        NotPermitted: its folder is missing.
    """
    ending = os.path.splitext(place)[1].lower()
    if ending not in (".svg", ".png"):
        raise VigieError(place, "a picture is .svg or .png", "Name it so: --picture strip.svg")
    if os.path.lexists(place):
        raise VigieError(place, "something stands there already", "Move it away, or give another name.")
    if not os.path.isdir(os.path.dirname(place) or "."):
        raise NotPermitted(place, "its folder does not exist", "Make the folder, or give another name.")
    if ending == ".png":
        _png()


def draw(place: str, path: str, explanation: Explanation, language: Language) -> None:
    """Write the picture to a new file, whole or not at all.

    Raises:
        VigieError, MissingProgram, NotPermitted: as `refuse`, or it cannot be written.
        DiskFull: there is no room left.
    """
    refuse(place)
    picture = strip(explanation, os.path.basename(path), language)
    data = _png()(picture) if place.lower().endswith(".png") else svg(picture).encode()
    try:
        with open(place, "xb") as file:  # never what came there meanwhile
            try:
                file.write(data)
                file.flush()
            except OSError:
                os.unlink(place)
                raise
    except FileExistsError as error:
        raise VigieError(place, "something stands there already", "Give another name.") from error
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else NotPermitted
        raise kind(place, in_words(error), "Give another place with --picture.") from error


def _png() -> Callable[..., bytes]:
    try:
        from vigie.ui.report.drawing_png import png  # noqa: PLC0415 - it needs the extra `drill`
    except ModuleNotFoundError as error:
        remedy = "Ask for an .svg, which needs nothing more, or: pip install 'vigie[drill]'"
        raise MissingProgram("PNG", f"{error.name} is not installed", remedy) from error
    return png


def _strip(out: Console, explanation: Explanation, language: Language) -> Iterator[Text]:
    glyphs = _ASCII if out.options.ascii_only else _UNICODE
    width = max(8, min(_WIDEST, out.width - 2 * _MARGIN - _LABEL))
    columns = _columns(explanation, width)
    broken = explanation.verdict.state is State.DAMAGED
    struck, colour = ("broken", "yellow") if broken else ("struck", "bold red")
    expected = [(glyphs.kinds[c.expected], _KINDS[c.expected] if c.expected else "dim") for c in columns]
    yield _row(language.say("expected"), expected)
    yield _row(language.say("random"), [(_heat(c.random, glyphs), "magenta") for c in columns])
    hits = [
        (glyphs.struck, colour) if c.struck else (glyphs.flawed if c.flawed else " ", "yellow")
        for c in columns
    ]
    yield _row(language.say(struck), hits)
    yield from _axis(explanation.size, width, glyphs, language)
    legend = [
        f"{glyphs.kinds[k]} {language.say(f'kind.{k}')}"
        for k in Kind
        if any(c.expected is k for c in columns)
    ]
    if any(c.expected is None for c in columns):
        legend.append(f"{glyphs.kinds[None]} {language.say('kind.none')}")
    yield _note(legend)
    legend = [f"{glyphs.shares[1:]} {language.say('share.terminal')}"]
    if any(c.random is None for c in columns):
        legend.append(f"{glyphs.unread} {language.say('unread')}")
    yield _note(legend)
    legend = [f"{glyphs.struck} {language.say(f'hit.{struck}')}"] if any(c.struck for c in columns) else []
    if any(c.flawed and not c.struck for c in columns):
        legend.append(f"{glyphs.flawed} {language.say('flawed')}")
    if legend:
        yield _note(legend)


def _columns(explanation: Explanation, width: int) -> list[_Column]:
    """The stretches, dealt out to so many columns; of what is hit, nothing is lost."""
    stretches = explanation.stretches
    count = len(stretches)
    result = []
    for number in range(width):
        first = number * count // width
        run = stretches[first : max(first + 1, -(-(number + 1) * count // width))]
        read = [s.random for s in run if s.random is not None]
        kinds = [s.expected for s in run]
        result.append(
            _Column(
                max(kinds, key=kinds.count),
                sum(read) / len(read) if read else None,
                any(s.struck for s in run),
                any(s.flawed for s in run),
            )
        )
    return result


def _heat(share: float | None, glyphs: _Glyphs) -> str:
    if share is None:
        return glyphs.unread
    # Anything at all shows, and only what is random throughout is full.
    return glyphs.shares[0 if share < 0.02 else min(4, 1 + int(share * 3.2))]


def _row(label: str, cells: Sequence[tuple[str, str]]) -> Text:
    return Text.assemble(" " * _MARGIN, (f"{label:<{_LABEL}}", "bold"), *cells)


def _axis(size: int, width: int, glyphs: _Glyphs, language: Language) -> Iterator[Text]:
    rule, words, free = [glyphs.rule] * width, [" "] * width, 0
    end = offset(size, size, language)
    for at in ticks(size, max(2, min(9, width // 12))):
        label = end if at == size else offset(at, size, language)
        column = min(width - 1, at * width // size)
        start = (
            width - len(label) if at == size else max(0, min(column - len(label) // 2, width - len(label)))
        )
        if start < free or (at != size and start + len(label) + 2 > width - len(end)):
            continue
        rule[column] = glyphs.tick
        words[start : start + len(label)] = label
        free = start + len(label) + 2
    for line in (rule, words):
        yield Text(" " * (_MARGIN + _LABEL) + "".join(line[:width]).replace("\u00a0", " "), style="dim")


def _note(parts: Sequence[str]) -> Text:
    return Text(" " * (_MARGIN + _LABEL) + "   ".join(parts), style="dim")


def _list(out: Console, heading: str, sentences: Sequence[str], more: str) -> None:
    if sentences:
        out.print(Text(heading, style="bold"))
        for sentence in (*sentences, *([more] if more else [])):
            _print(out, f"- {sentence}")
        out.print()


def _print(out: Console, words: str, style: str = "") -> None:
    """A paragraph, wrapped and set in; what a file says in it is escaped."""
    hang = 2 if words.startswith("- ") else 0
    said = printable(words)
    if out.options.ascii_only:
        said = said.translate(_SPELT)
    lines = Text(said, style=style).wrap(out, max(20, out.width - _MARGIN - hang))
    for number, line in enumerate(lines):
        line.rstrip()
        out.print(Text(" " * (_MARGIN + (hang if number else 0))).append_text(line), soft_wrap=True)
