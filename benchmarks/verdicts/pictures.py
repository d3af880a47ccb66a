"""The pictures of the page: SVG written by hand, on a ground of its own: it reads on dark pages too."""

from collections.abc import Mapping, Sequence
from html import escape

_FONT = "font-family='system-ui, sans-serif' font-size='12' fill='#1d2733'"
_COLOURS = ("#1f6f8b", "#e09f3e", "#b23a48", "#6a994e", "#7d5ba6", "#8d99ae", "#3d405b")


def _drawn(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' role='img'>"
    ground = f"<title>{escape(title)}</title><rect width='100%' height='100%' fill='#ffffff'/>"
    return f"{head}\n{ground}\n<g {_FONT}>\n" + "\n".join(parts) + "\n</g>\n</svg>\n"


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(words)}</text>"


def _box(x: float, y: float, wide: float, tall: float, colour: str, said: str = "") -> str:
    note = f"<title>{escape(said)}</title>" if said else ""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{wide:.1f}' height='{tall:.1f}' fill='{colour}'>{note}</rect>"
    )


def _shade(value: float | None) -> str:
    """White for nothing measured; red over yellow to green: what is short of 99 % is to be seen."""
    if value is None:
        return "#eeeeee"
    if value >= 0.999:
        return "#2d6a4f"
    if value >= 0.99:
        return "#74a892"
    if value >= 0.9:
        return "#e9c46a"
    return "#e76f51" if value >= 0.5 else "#9b2226"


def matrix(title: str, rows: Mapping[str, Sequence[float | None]], columns: Sequence[str]) -> str:
    """A heat map of shares: a row a kind of file, a column a pattern."""
    left, top, cell, line = 190, 270, 24, 16
    parts = [
        _text(0, 0, column, f"transform='translate({left + n * cell + 16} {top - 8}) rotate(-60)'")
        for n, column in enumerate(columns)
    ]
    for number, (name, values) in enumerate(rows.items()):
        y = top + number * line
        parts.append(_text(left - 8, y + 12, name, "text-anchor='end'"))
        for n, value in enumerate(values):
            said = f"{name}, {columns[n]}: " + ("no such file" if value is None else f"{value:.1%}")
            parts.append(_box(left + n * cell, y, cell - 1, line - 1, _shade(value), said))
    foot = top + len(rows) * line + 24
    for n, (value, words) in enumerate(
        ((1.0, "from 99.9 %"), (0.995, "99 %"), (0.95, "90 %"), (0.7, "50 %"), (0.1, "less"))
    ):
        parts.append(_box(left + n * 110, foot, 14, 14, _shade(value)))
        parts.append(_text(left + n * 110 + 20, foot + 12, words))
    return _drawn(left + len(columns) * cell + 130, foot + 30, title, parts)


def bars(
    title: str,
    groups: Mapping[str, Sequence[float | None]],
    names: Sequence[str],
    *,
    most: float = 1.0,
    unit: str = "%",
) -> str:
    """Bars side by side, lying: a group a row, a colour a name."""
    left, wide, bar = 330, 420, 9
    tall = bar * len(names) + 8
    parts = []
    for n, name in enumerate(names):
        parts.append(
            _box(left + 170 * (n % 3) - 200, 12 + 18 * (n // 3), 12, 12, _COLOURS[n % len(_COLOURS)])
        )
        parts.append(_text(left + 170 * (n % 3) - 183, 22 + 18 * (n // 3), name[:24]))
    top = 30 + 18 * -(-len(names) // 3)
    for number, (group, values) in enumerate(groups.items()):
        y = top + number * tall
        parts.append(_text(left - 8, y + tall / 2 + 2, group, "text-anchor='end'"))
        for n, value in enumerate(values):
            if value is not None:
                said = f"{group}, {names[n]}: " + (f"{value:.1%}" if unit == "%" else f"{value:,.0f} {unit}")
                parts.append(
                    _box(
                        left,
                        y + n * bar,
                        max(1.0, wide * min(value, most) / most),
                        bar - 1,
                        _COLOURS[n % len(_COLOURS)],
                        said,
                    )
                )
    foot = top + len(groups) * tall + 14
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        label = f"{share * most:.0%}" if unit == "%" else f"{share * most:,.0f}"
        parts.append(_text(left + wide * share, foot, label, "text-anchor='middle'"))
    return _drawn(left + wide + 60, foot + 12, title, parts)
