"""Pictures made of three shapes, and how they are written as SVG.

One layout, two back-ends: whatever is drawn is a list of shapes with the role each one plays, which `svg`
writes as text with a style for light and dark screens, and `drawing_png` paints for what cannot show SVG
(e-mail, office documents). So both show the same, and neither needs a browser or a library that renders SVG.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from vigie.ui.printable import printable as plain

LIGHT: Mapping[str, str] = {
    "page": "#ffffff",
    "ink": "#1b1f24",
    "dim": "#57606a",
    "track": "#eef0f3",
    "line": "#c3cad2",
    "structured": "#2f6fb5",
    "coded": "#128577",
    "opaque": "#8a919b",
    "random": "#6b4fbb",
    "struck": "#c4271b",
    "flaw": "#b26a00",
    "intact": "#1a7f37",
    "encrypted": "#c4271b",
    "damaged": "#9a6700",
    "unknown": "#0b7285",
    "skipped": "#8250df",
    "badge": "#ffffff",
}
"""The colour of each role on paper and on light screens; no two that meet differ in colour alone."""
DARK: Mapping[str, str] = {
    "page": "#14171c",
    "ink": "#e8eaed",
    "dim": "#a3adb8",
    "track": "#22272e",
    "line": "#4a525c",
    "structured": "#5b9be0",
    "coded": "#35c2ad",
    "opaque": "#7d8590",
    "random": "#a58bf0",
    "struck": "#ff6b5e",
    "flaw": "#e3a436",
    "intact": "#4ac26b",
    "encrypted": "#ff6b5e",
    "damaged": "#e3a436",
    "unknown": "#3bc9db",
    "skipped": "#b392f0",
    "badge": "#14171c",
}
_FONTS = "system-ui, 'Segoe UI', 'Helvetica Neue', 'Liberation Sans', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `tint` mixes its colour with the page's, 0 (not seen) to 1."""

    x: float
    y: float
    width: float
    height: float
    role: str
    tint: float = 1.0
    round: float = 0.0
    """Radius of its corners."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A triangle that points up at `(x, y)`."""

    x: float
    y: float
    size: float
    role: str


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text whose baseline begins (ends, has its middle) at `(x, y)`; any string is safe."""

    x: float
    y: float
    text: str
    role: str = "ink"
    size: float = 16.0
    bold: bool = False
    anchor: str = "start"
    """As in SVG: start, middle, end."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes from back to front, on a page of so many units (pixels at its natural size)."""

    width: int
    height: int
    title: str
    description: str
    """For those who do not see it."""
    language: str
    """BCP 47."""
    shapes: tuple[Box | Arrow | Words, ...]


def printable(text: str) -> str:
    """A text that any picture may carry; the spaces that French has before its marks stay."""
    return plain(text, keep="\u00a0\u202f")


def svg(picture: Picture) -> str:
    """The picture as a document of its own: it loads nothing and runs nothing."""
    size = f"{picture.width} {picture.height}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{picture.width}" '
        f'height="{picture.height}" style="max-width:100%;height:auto" role="img" lang="{picture.language}" '
        'aria-labelledby="title description">\n'
        f'<title id="title">{_text(picture.title)}</title>\n'
        f'<desc id="description">{_text(picture.description)}</desc>\n'
        f"<style>\n{_style()}</style>\n"
    )
    return head + "".join(_drawn(shape) + "\n" for shape in picture.shapes) + "</svg>\n"


def _drawn(shape: Box | Arrow | Words) -> str:
    match shape:
        case Box(x, y, width, height, role, tint, radius):
            more = (f' fill-opacity="{tint:.3g}"' if tint < 1 else "") + (
                f' rx="{radius:g}"' if radius else ""
            )
            place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
            return f'<rect class="{role}" {place}{more}/>'
        case Arrow(x, y, size, role):
            return f'<path class="{role}" d="M{x:.2f} {y:.2f}l{size / 2:g} {size:g}h-{size:g}z"/>'
        case Words(x, y, text, role, size, bold, anchor):
            more = (' font-weight="600"' if bold else "") + (
                f' text-anchor="{anchor}"' if anchor != "start" else ""
            )
            place = f'x="{x:.2f}" y="{y:.2f}" font-size="{size:g}"'
            return f'<text class="{role}" {place}{more}>{_text(text)}</text>'


def _text(text: str) -> str:
    return escape(printable(text))


def _style() -> str:
    return (
        f":root{{color-scheme:light dark}}\ntext{{font-family:{_FONTS}}}\n"
        "rect{shape-rendering:crispEdges}\nrect[rx]{shape-rendering:auto}\n"
        f"{_colours(LIGHT)}@media (prefers-color-scheme:dark){{\n{_colours(DARK)}}}\n"
    )


def _colours(palette: Mapping[str, str]) -> str:
    rules = "".join(f".{role}{{fill:{colour}}}\n" for role, colour in palette.items())
    return f":root{{background:{palette['page']}}}\n{rules}"
