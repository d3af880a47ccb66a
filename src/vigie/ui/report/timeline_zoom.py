"""The timeline's picture as HTML: a row a folder, which opens to its files, which open to their versions.

One strip of columns at all three levels, without a script (`<details>`). It is written once for both
languages: figures that both can read, and words that carry their language. Each state has a form besides its
colour, so that it can be told apart on any paper and by any eye.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from vigie.model import State, Version
from vigie.timeline import Affected, Document, Sighting, Timeline, short
from vigie.ui.report.timeline_language import both, breaking, cut, figure, in_type, size, stamp
from vigie.ui.report.timeline_picture import Cell, Folder, Picture, spans

ROOM = 2_000_000
"""Characters that the files of all folders may take; every folder gets its share of what is left."""
_VERSIONS = 8
"""Versions of a file that are listed, the newest."""
_REASON = 200
"""Characters of what the verdict rests on."""
_NUMBERED = 12
"""Columns up to which each holds its percentage as well."""
_DATES = 8
_TALL, _LOW = 20, 12
"""Heights of a strip: of a folder, of a file. Widths are counted in columns; the style stretches them."""
_SIGNS = {
    State.INTACT: "✓",
    State.ENCRYPTED: "✗",
    State.DAMAGED: "!",
    State.UNKNOWN: "?",
    State.SKIPPED: "–",
}
Run = tuple[int, int, str, float]
"""From which column to which, of what kind (`_strip`), and which share of the height is filled."""


def drawn(timeline: Timeline, picture: Picture) -> str:
    """The whole picture: its key, its dates, its rows."""
    root = _shared([folder.path for folder in picture.folders])
    rows: list[str] = []
    room = ROOM
    leftovers = {leftover.path: leftover for leftover in timeline.leftovers}
    left = sum(folder.hit > 0 for folder in picture.folders)
    for folder in picture.folders:
        head = _head(folder, root, picture)
        if not folder.hit:
            rows.append(f'<div class="row">{head}</div>\n')
            continue
        files = _files(timeline, picture, folder, leftovers, room // left)
        rows.append(f'<details><summary class="row">{head}</summary>\n{files}</details>\n')
        room, left = room - len(files), left - 1
    below = f"<p>{both('all_below')} {in_type(root)}</p>\n" if root else ""
    return (
        f'{below}{_key()}<div class="picture" style="--n:{len(picture.columns)}">\n'
        f"{_axis(timeline, picture)}{''.join(rows)}</div>\n"
    )


def _head(folder: Folder, root: str, picture: Picture) -> str:
    own = folder.path[len(root) :].lstrip("/")
    name = breaking(own) if own else "/" if not folder.path else both("here")
    more = f' <span class="soft">{both("below")} {figure(folder.merged)}</span>' if folder.merged else ""
    runs = list(_folder_runs(folder.cells))
    numbers = ""
    if len(picture.columns) <= _NUMBERED:
        cells = (f"<i>{_percent(cell) if cell else ''}</i>" for cell in folder.cells)
        numbers = f'<span class="numbers">{"".join(cells)}</span>'
    share = f"<b>{_of(folder.hit, folder.files)}</b> " if folder.hit else ""
    return (
        f'<span class="name path">{name}{more}</span>'
        f'<span class="strip">{_strip(runs, picture, _TALL)}{numbers}</span>'
        f'<span class="now">{share}<span class="soft">{figure(folder.hit)}\u00a0/\u00a0{figure(folder.files)}'
        "</span></span>"
    )


def _percent(cell: Cell) -> str:
    share = _of(cell.encrypted, cell.files, sign="") if cell.files else ""
    return f"{share}{'?' if cell.unread else ''}"


def _of(part: int, whole: int, sign: str = "\u202f%") -> str:
    """In percent; neither 0 nor 100 where it is a little more or less."""
    percent = 100 * part / max(1, whole)
    if 0 < percent < 1:
        return f"&lt;1{sign}"
    return f"{min(99, round(percent)) if percent < 100 else 100}{sign}"


def _folder_runs(cells: Sequence[Cell | None]) -> Iterable[Run]:
    """Neighbours that look the same are one run."""
    for look, run in groupby(range(len(cells)), key=lambda place: _look(cells[place])):
        places = list(run)
        if look:
            yield places[0], places[-1] + 1, *look


def _look(cell: Cell | None) -> tuple[str, float] | None:
    if cell is None or not (cell.files or cell.unread):
        return None
    if not cell.files:
        return "q", 0.0
    share = max(0.1, cell.encrypted / cell.files) if cell.encrypted else 0.0
    return "hq" if cell.unread else "h", share


def _strip(runs: Iterable[Run], picture: Picture, height: int) -> str:
    """Paths, one a kind: `t` what is there, `h` encrypted, `u` unsure, `q` not read, `o` the onset."""
    paths: dict[str, str] = {}
    for start, end, kind, share in runs:
        if "q" in kind:
            paths["q"] = paths.get("q", "") + f"M{start} {height / 2:g}H{end}"
        if kind == "q":
            continue
        paths["t"] = paths.get("t", "") + f"M{start} 0H{end}V{height}H{start}z"
        if share:
            top = round(height * (1 - share), 1)
            paths[kind[0]] = paths.get(kind[0], "") + f"M{start} {top:g}H{end}V{height}H{start}z"
    if picture.onset is not None:
        paths["o"] = f"M{picture.onset} 0V{height}"
    shapes = "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in paths.items())
    return (
        f'<svg viewBox="0 0 {len(picture.columns)} {height}" preserveAspectRatio="none" height="{height}" '
        f'aria-hidden="true">{shapes}</svg>'
    )


def _files(
    timeline: Timeline, picture: Picture, folder: Folder, leftovers: dict[str, Document], room: int
) -> str:
    parts = [f'<div class="inside">\n<p class="soft">{both("files.lead")}</p>\n']
    room -= 2 * len(parts[0])
    named = 0
    for item in folder.named:
        part = _file(timeline, picture, item, leftovers.get(item.now), folder.path)
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
        named += 1
    if folder.hit > named:
        parts.append(f"<p>… {both('more_files')} {figure(folder.hit - named)}</p>\n")
    return "".join(parts) + "</div>\n"


def _file(
    timeline: Timeline, picture: Picture, item: Affected, successor: Document | None, folder: str
) -> str:
    document = item.document
    orphan = document.path in timeline.became.orphans
    told = list(spans(document, len(timeline.rows), leftover=orphan, made=orphan))
    if successor and not orphan:
        told += spans(successor, len(timeline.rows), leftover=True, made=True)
    runs = [
        (columns[0], columns[-1] + 1, kind, share)
        for begin, end, _, state in told
        if (columns := [place for place, n in enumerate(picture.columns) if begin <= n < end])
        for kind, share in [_file_look(state)]
    ]
    clean = stamp(item.clean.time_ns) if item.clean else f'<b class="bad">✗ {both("no_version")}</b>'
    doubt = "" if item.sure else f' <span class="soft">{both("doubt")}</span>'
    rows = [
        _version(timeline, number, sighting, state, _renamed(document, sighting))
        for number, _, sighting, state in told[-_VERSIONS:]
    ]
    if document.gone >= 0 and not item.now:
        gone = stamp(timeline.rows[document.gone].snapshot.time_ns)
        rows.append(f'<tr><td>{gone}</td><td class="bad">{both("s.gone")}</td><td colspan="3"></td></tr>\n')
    older = len(told) - len(told[-_VERSIONS:])
    more = f'<p class="soft">{both("older")} {figure(older)}</p>' if older else ""
    name = breaking(_below(document.path, folder))
    return (
        f'<details><summary class="row"><span class="name path">{name}{doubt}</span>'
        f'<span class="strip">{_strip(runs, picture, _LOW)}</span>'
        f'<span class="now">{clean}</span></summary>\n'
        f'{more}<table class="versions"><tbody>\n{"".join(rows)}</tbody></table></details>\n'
    )


def _version(timeline: Timeline, number: int, sighting: Sighting, state: State, name: str) -> str:
    at = timeline.rows[number].snapshot
    reasons = cut("; ".join(sighting.verdict.evidence[:2]), _REASON)
    about = ("", "")
    if isinstance(sighting.item, Version):
        entry = sighting.item.entry
        about = f"{both('written')} {stamp(entry.mtime_ns)}", size(entry.size)
    renamed = f"{in_type(name)} " if name else ""
    css = ' class="bad"' if state is State.ENCRYPTED else ""
    return (
        f"<tr><td>{stamp(at.time_ns)} {in_type(short(at))}</td>"
        f"<td{css}>{_SIGNS[state]}\u00a0{both(f's.{state.value}')}</td><td>{about[0]}</td><td>{about[1]}</td>"
        f'<td>{renamed}<span lang="en">{reasons}</span></td></tr>\n'
    )


def _renamed(document: Document, sighting: Sighting) -> str:
    """The name an attack gave it, where that is not its own."""
    item = sighting.item
    if not isinstance(item, Version) or item.entry.path == document.path:
        return ""
    return item.entry.path.rpartition("/")[2]


def _below(path: str, folder: str) -> str:
    return path[len(folder) :].lstrip("/") if path.startswith(f"{folder}/") else path


def _file_look(state: State) -> tuple[str, float]:
    if state is State.SKIPPED:
        return "q", 0.0
    if state is State.ENCRYPTED:
        return "h", 1.0
    return ("h", 0.0) if state is State.INTACT else ("u", 0.5)


def _axis(timeline: Timeline, picture: Picture) -> str:
    """The dates of some columns, and the two between which it began."""
    count = len(picture.columns)
    step = max(1, -(-count // _DATES))
    dates = "".join(
        f'<span style="left:{100 * (place + 0.5) / count:.2f}%">{at[5:10]}<br>{at[11:]}</span>'
        for place in range(0, count, step)
        for at in [stamp(timeline.rows[picture.columns[place]].snapshot.time_ns)]
    )
    onset = ""
    if picture.onset is not None:
        x = 100 * picture.onset / count
        side = f"right:{100 - x:.2f}%" if x > 50 else f"left:{x:.2f}%"
        onset = f'<b style="{side}">{both("k.onset")}</b>'
    return (
        f'<div class="row axis"><span class="name">{both("folder")}</span>'
        f'<span class="dates">{onset}{dates}</span><span class="now">{both("hit_of")}</span></div>\n'
    )


def _key() -> str:
    """What the forms mean, each drawn as the picture draws it."""
    one = Picture((0,), None, (), 0, 0)
    samples: tuple[tuple[str, list[Run]], ...] = (
        ("k.clean", [(0, 1, "h", 0.0)]),
        ("k.half", [(0, 1, "h", 0.5)]),
        ("k.hit", [(0, 1, "h", 1.0)]),
        ("k.unsure", [(0, 1, "u", 0.5)]),
        ("k.unread", [(0, 1, "q", 0.0)]),
        ("k.absent", []),
    )
    items = "".join(f"<li>{_strip(runs, one, _TALL)}{both(key)}</li>" for key, runs in samples)
    return f'<ul class="key">{items}</ul>\n'


def _shared(paths: Sequence[str]) -> str:
    """The folder in which all of these are."""
    split = [path.split("/") for path in paths]
    shared: list[str] = []
    for names in zip(*split, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join(shared)
