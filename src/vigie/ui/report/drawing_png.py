"""A picture as PNG (ISO/IEC 15948), in the colours of paper, at twice its natural size.

Needs the extra `drill`: Pillow paints, and reportlab brings a typeface where the system has no DejaVu
(Pillow's own has no accents).
"""

import io
from functools import cache
from importlib import resources

from PIL import Image, ImageColor, ImageDraw, ImageFont

from vigie.ui.report.drawing import LIGHT, Arrow, Box, Picture, Words, printable

SCALE = 2
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
"""Pillow's names: left, middle or right, on the baseline."""
_Colour = tuple[int, ...]


def png(picture: Picture) -> bytes:
    """The picture as a file.

    Raises:
        ModuleNotFoundError: there is no typeface, since reportlab is not installed.
    """
    image = Image.new("RGB", (picture.width * SCALE, picture.height * SCALE), LIGHT["page"])
    canvas = ImageDraw.Draw(image)
    for shape in picture.shapes:
        match shape:
            case Box():
                _box(canvas, shape)
            case Arrow(x, y, size, role):
                corners = [(x, y), (x + size / 2, y + size), (x - size / 2, y + size)]
                canvas.polygon([(a * SCALE, b * SCALE) for a, b in corners], LIGHT[role])
            case Words(x, y, text, role, size, bold, anchor):
                # The narrow no-break space of French is missing in many typefaces.
                said = printable(text).replace("\u202f", "\u00a0")
                face = _face(round(size * SCALE), bold=bold)
                canvas.text((x * SCALE, y * SCALE), said, LIGHT[role], face, _ANCHORS[anchor])
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _box(canvas: ImageDraw.ImageDraw, box: Box) -> None:
    left, top = round(box.x * SCALE), round(box.y * SCALE)
    right, bottom = round((box.x + box.width) * SCALE) - 1, round((box.y + box.height) * SCALE) - 1
    area = (left, top, max(left, right), max(top, bottom))
    canvas.rounded_rectangle(area, box.round * SCALE, _mixed(box.role, box.tint))


def _mixed(role: str, tint: float) -> _Colour:
    front, back = ImageColor.getrgb(LIGHT[role]), ImageColor.getrgb(LIGHT["page"])
    return tuple(round(a * tint + b * (1 - tint)) for a, b in zip(front, back, strict=True))


@cache
def _face(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", size)
    except OSError:
        file = resources.files("reportlab").joinpath("fonts", "VeraBd.ttf" if bold else "Vera.ttf")
        return ImageFont.truetype(io.BytesIO(file.read_bytes()), size)
