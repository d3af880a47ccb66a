import random
import re
import string
import xml.etree.ElementTree as ET
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from vigie.formats import contract
from vigie.judge import Explanation, Stretch, examine, explain
from vigie.model import Basis, Flaw, Kind, Pattern, Period, Range, Region, State, Verdict
from vigie.ui.report import drawing_png, strip_words
from vigie.ui.report.drawing import DARK, LIGHT, Box, Picture, Words, printable, svg
from vigie.ui.report.drawing_png import SCALE, png
from vigie.ui.report.language import Language
from vigie.ui.report.strip import WIDTH, strip
from vigie.ui.report.strip_words import WORDS, about, offset, places, ticks, told

FRENCH, ENGLISH = WORDS["fr"], WORDS["en"]
SVG = "{http://www.w3.org/2000/svg}"
LETTER = b"La patiente revient pour un controle de sa tension.\n" * 400
NOISE = random.Random(7).randbytes(len(LETTER))


def explained(data: bytes, name: str = "letter.txt") -> Explanation:
    return explain(examine(contract.Bytes(data), name))


def boxes(picture: Picture, role: str, height: float = 0) -> list[Box]:
    return [s for s in picture.shapes if isinstance(s, Box) and s.role == role and s.height > height]


def test_what_was_struck_stands_where_it_was_struck() -> None:
    struck = LETTER[:8192] + NOISE[8192:12288] + LETTER[12288:]
    picture = strip(explained(struck), "letter.txt", ENGLISH)
    [hit] = boxes(picture, "struck", 20)
    scale = (WIDTH - 80) / len(struck)
    assert hit.x == pytest.approx(40 + 8192 * scale, abs=3)
    assert hit.width == pytest.approx(4096 * scale, abs=6)
    noisy = boxes(picture, "random", 20)
    assert min(b.x for b in noisy) == pytest.approx(hit.x, abs=6)
    assert not boxes(strip(explained(LETTER), "letter.txt", ENGLISH), "struck")


def test_every_state_says_its_word_in_both_languages() -> None:
    for state in State:
        for language in (FRENCH, ENGLISH):
            empty = Explanation(5, Verdict(state, evidence=("why",)), (), (), (), ())
            text = svg(strip(empty, "x", language))
            assert language.say(f"state.{state}").upper() in text
            assert language.say("unmeasured") in text


def test_both_languages_say_the_same_with_the_same_places_to_fill_in() -> None:
    french, english = strip_words._FRENCH, strip_words._ENGLISH
    assert french.keys() == english.keys()

    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    for key in english:
        assert fields(french[key]) == fields(english[key]), key


def test_a_sentence_says_what_was_expected_and_what_was_found() -> None:
    struck = LETTER[:8192] + NOISE[8192:16384] + LETTER[16384:]
    [place], beyond = places(explained(struck))
    assert beyond == 0
    said = told(place, ENGLISH)
    assert re.fullmatch(
        r"Bytes 8,[12]\d\d to 16,3\d\d: expected text \(structured\); found bytes that look random "
        r"\(\d+ % of cells; chi² 2\d\d a block, chance gives 255 ± 23\)\.",
        said,
    )
    assert "attendu « text » (structuré) ; trouvé des octets d’allure aléatoire" in told(place, FRENCH)


def test_a_format_that_could_not_be_made_out_is_named() -> None:
    [place], _ = places(explained(NOISE))
    assert "no text could be made out" in told(place, ENGLISH)
    [place], _ = places(explained(NOISE, "noise"))
    assert "nothing is claimed" in told(place, ENGLISH)


def made(ranges: int = 0) -> Explanation:
    """A strip of four stretches of 100 bytes, none, a third, and all of it random, and one not read."""
    shares = (0.0, 1 / 3, 1.0, None)
    stretches = tuple(
        Stretch(100 * n, 100 * n + 100, kind, share, None, False, n == 1)
        for n, (kind, share) in enumerate(zip([*Kind, None], shares, strict=True))
    )
    hits = tuple(Range(40 * n, 40 * n + 1) for n in range(ranges))
    verdict = Verdict(
        State.DAMAGED if ranges else State.INTACT,
        "zip",
        Pattern.INTERMITTENT,
        hits,
        Basis.STRUCTURE,
        0.5,
        tuple(f"reason {n}" for n in range(12)),
        period=Period(64, 128),
        read=300,
    )
    regions = (Region(0, 100, Kind.STRUCTURED, "head"), Region(100, 200, Kind.CODED, "stream"))
    return Explanation(400, verdict, stretches, regions, (Flaw(100, 200, "broken"),), ())


def test_what_is_known_of_each_place_is_said_and_no_more() -> None:
    explanation = made(9)
    found, beyond = places(explanation)
    assert beyond == 4
    said = [told(place, ENGLISH) for place in found]
    assert "around it, 0 % of cells look random" in said[0]
    assert "around it, 33 % of cells look random" in said[3]
    healthy, _ = places(made())
    assert "found no random bytes" in told(healthy[0], ENGLISH)
    assert "look random in part (33 % of cells)" in told(healthy[1], ENGLISH)
    unread = Explanation(400, Verdict(State.UNKNOWN), explanation.stretches[3:], (), (), ())
    [place], _ = places(unread)
    assert told(place, ENGLISH).endswith("not read.")
    several = Explanation(
        400, Verdict(State.ENCRYPTED, ranges=(Range(0, 400),)), (), explanation.regions, (), ()
    )
    [place], _ = places(several)
    assert "(structured) and 1 more parts" in told(place, ENGLISH)
    assert about(explanation, ENGLISH) == (
        "zip", "400 bytes", "at intervals", "64 of every 192 bytes", "confidence 50 %", "75 % of it read",
    )  # fmt: skip
    assert "confidence" not in " ".join(about(Explanation(3, Verdict.skipped("no"), (), (), (), ()), ENGLISH))


def test_one_byte_of_terabytes_is_seen() -> None:
    size = 5 * 10**12
    hit = Verdict(State.ENCRYPTED, ranges=(Range(0, 1), Range(10, 11), Range(size - 1, size)))
    picture = strip(
        Explanation(size, hit, (Stretch(0, size, None, 0.0, None, True, False),), (), (), ()), "x", ENGLISH
    )
    first, last = boxes(picture, "struck", 20)
    assert first.width >= 3
    assert last.width >= 3
    assert last.x + last.width <= WIDTH - 40
    assert svg(picture).count("<path") == 2


def test_a_damaged_file_shows_what_is_broken_and_what_was_not_read() -> None:
    text = svg(strip(made(3), "x.zip", ENGLISH))
    for words in (
        "Broken",
        "damaged bytes",
        "breaks its format",
        "not read",
        "nothing claimed",
        "and 4 more",
    ):
        assert words in text


@pytest.mark.parametrize(
    "name", ["<script>&\"'.txt", "a\x1b[31m\u202eb\n", "caf\udce9", "x" * 5000, "患者" * 200, ""]
)
def test_names_and_evidence_are_only_text_and_stay_on_the_page(name: str) -> None:
    explanation = explained(LETTER)
    hostile = Verdict(State.UNKNOWN, evidence=(name, f"{name} {name}", "word " * 400))
    picture = strip(Explanation(400, hostile, explanation.stretches, (), (), ()), name, ENGLISH)
    text = svg(picture)
    root = ET.fromstring(text)
    assert not [e.tag for e in root.iter() if e.tag.removeprefix(SVG) not in {
        "svg", "title", "desc", "style", "rect", "text", "path",
    }]  # fmt: skip
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    assert not re.search(r"href|url\(|@import", text)
    assert len(text) < 100_000
    assert_on_page(picture)


def assert_on_page(picture: Picture) -> None:
    for shape in picture.shapes:
        if isinstance(shape, Words):
            width = drawing_png._face(round(shape.size), bold=shape.bold).getlength(printable(shape.text))
            left = shape.x - {"start": 0.0, "middle": width / 2, "end": width}[shape.anchor]
            assert left >= 0, shape
            assert left + width <= WIDTH, shape
            assert shape.y < picture.height
        if isinstance(shape, Box):
            assert shape.x >= 0
            assert shape.x + shape.width <= WIDTH + 0.01
            assert shape.y + shape.height <= picture.height


@pytest.mark.parametrize("data", [b"", b"a", LETTER, NOISE, LETTER[:4096] + NOISE])
@pytest.mark.parametrize("language", [FRENCH, ENGLISH])
def test_nothing_leaves_the_page(data: bytes, language: Language) -> None:
    picture = strip(explained(data), "lettre de sortie.txt", language)
    assert_on_page(picture)
    assert ET.fromstring(svg(picture)).get("lang") == language.code


def test_the_png_shows_what_the_svg_says() -> None:
    picture = strip(explained(NOISE), "letter.txt", ENGLISH)
    image = Image.open(BytesIO(png(picture)))
    assert image.size == (WIDTH * SCALE, picture.height * SCALE)
    [hit] = boxes(picture, "struck", 20)
    spot = (round((hit.x + hit.width / 2) * SCALE), round((hit.y + hit.height / 2) * SCALE))
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel(spot)) == LIGHT["struck"]  # type: ignore[misc]
    assert png(strip(made(3), "x", FRENCH)).startswith(b"\x89PNG")


def test_a_typeface_is_found_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ImageFont.truetype

    def bare(font: str | BytesIO, size: float) -> object:
        if isinstance(font, str):
            raise OSError("cannot open resource")
        return real(font, size)

    monkeypatch.setattr(ImageFont, "truetype", bare)
    drawing_png._face.cache_clear()
    try:
        assert drawing_png._face(20, bold=False).getname()[0] == "Bitstream Vera Sans"
        assert drawing_png._face(20, bold=True).getname()[1] == "Bold"
    finally:
        drawing_png._face.cache_clear()


def test_both_palettes_know_every_role() -> None:
    assert LIGHT.keys() == DARK.keys()
    drawn = {shape.role for shape in strip(made(3), "x", ENGLISH).shapes}
    assert drawn <= LIGHT.keys()


@pytest.mark.parametrize(
    ("at", "size", "said"),
    [(0, 1, "0 B"), (500, 9999, "500 B"), (1500, 40_000, "1.5 kB"), (2 * 10**9, 3 * 10**10, "2 GB")],
)
def test_offsets_in_the_unit_of_their_axis(at: int, size: int, said: str) -> None:
    assert offset(at, size, ENGLISH) == said.replace(" ", "\u00a0")
    assert offset(at, size, FRENCH) == said.replace(" ", "\u00a0").replace("B", "o").replace(".", ",")


@given(st.integers(1, 1 << 62), st.integers(3, 12))
def test_ticks_are_few_round_and_rise(size: int, most: int) -> None:
    found = ticks(size, most)
    assert len(found) <= most
    assert found[0] == 0
    assert found[-1] == size
    assert sorted(set(found)) == list(found)
    for at in found[1:-1]:
        assert str(at).rstrip("0") in {*map(str, range(1, 100))}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=40).map(lambda b: b * 300), st.text(max_size=60))
def test_anything_can_be_drawn(data: bytes, name: str) -> None:
    picture = strip(explained(data, name), name, FRENCH)
    ET.fromstring(svg(picture))
    assert_on_page(picture)
