import io
import sqlite3
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vigie.formats.contract import Bytes
from vigie.judge import examine
from vigie.model import State

KIB = 1024
PICTURES = ("pdf", "pdf, scanned", "dicom, native", "dicom, JPEG", "jpeg", "png", "tiff", "zip")
QUICK = ("text", "hl7v2", "csv", "xml", "cda", "rtf", "html", "log", "eml", "docx", "xlsx", "odt", "sqlite")


@pytest.fixture(scope="module")
def kinds(bench: Any) -> Any:
    return bench.stock.Stock(3, each=1, kinds=bench.lifelike.KINDS)


def state(data: bytes, ending: str) -> State:
    return examine(Bytes(data), f"a.{ending}").verdict.state


def test_both_sizes_have_the_same_kinds_in_the_same_folders(bench: Any, kinds: Any) -> None:
    small = {kind.name: kind for kind in bench.stock.KINDS}
    for kind in kinds.kinds:
        if kind.name != "sqlite, large":
            other = small.pop(kind.name)
            assert (kind.ending, kind.department, kind.grows) == (
                other.ending,
                other.department,
                other.grows,
            )
    assert not small


@pytest.mark.parametrize("names", [PICTURES, QUICK], ids=["pictures", "documents"])
def test_large_files_are_healthy_and_like_no_other(kinds: Any, names: tuple[str, ...]) -> None:
    dice = Random(2)
    for kind in map(kinds.by_name.__getitem__, names):
        files = [kind.make(kinds, dice) for _ in range(3)]
        assert len(set(files)) == 3, kind.name
        for data in (files[0], kinds.edited(kind, files[0], dice)):
            assert state(data, kind.ending) is State.INTACT, kind.name
        if kind.name in PICTURES:
            assert min(map(len, files)) > 50 * KIB, kind.name


def test_the_same_seed_makes_the_same_bytes(bench: Any, kinds: Any) -> None:
    again = bench.stock.Stock(3, each=1, kinds=bench.lifelike.KINDS)
    for name in ("docx", "dicom, native", "png", "sqlite"):
        assert again.by_name[name].make(again, Random(7)) == kinds.by_name[name].make(kinds, Random(7)), name


def test_large_pictures_of_one_template_have_no_stretch_in_common(kinds: Any) -> None:
    # restic would keep a common piece of half a MiB once, and the repository would be too small.
    dice, stretch = Random(4), 64 * KIB
    for name in ("jpeg", "pdf, scanned", "dicom, native", "dicom, JPEG", "tiff"):
        one, other = (kinds.by_name[name].make(kinds, dice) for _ in range(2))
        assert not any(one[at : at + stretch] in other for at in range(0, len(one) - stretch, stretch)), name


def test_rows_of_a_jpeg_change_places_and_nothing_else(bench: Any) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (160, 64), np.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "JPEG", quality=90, restart_marker_rows=1)
    framed = b"head" + out.getvalue() + b"between" + out.getvalue() + b"tail"
    moved = bench.lifelike.shuffled(framed, Random(1))
    assert len(moved) == len(framed)
    assert moved != framed
    assert moved == bench.lifelike.shuffled(framed, Random(1))
    size = len(out.getvalue())
    assert moved[4 + size : 11 + size] == b"between"
    before, *after = (
        sorted(band.tobytes() for band in np.asarray(Image.open(io.BytesIO(data))).reshape(20, 8, 64))
        for data in (out.getvalue(), moved[4 : 4 + size], moved[11 + size : -4])
    )
    assert after == [before, before]
    assert bench.lifelike.shuffled(b"no picture in here", Random(1)) == b"no picture in here"


def test_a_day_of_work_leaves_most_of_a_database_alone(bench: Any, kinds: Any) -> None:
    before = bench.lifelike.documents.sqlite(Random(1), 2_000_000)
    after = bench.lifelike.worked_in(before, Random(2))
    pages = range(0, len(before), 4096)
    same = sum(before[at : at + 4096] == after[at : at + 4096] for at in pages)
    assert 0.3 < same / len(pages) < 1
    assert state(after, "sqlite") is State.INTACT
    with sqlite3.connect(":memory:") as db:
        db.deserialize(after)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    large = kinds.by_name["sqlite, large"]
    assert kinds.edited(large, before, Random(2)) == after


def test_logs_repeat_no_line(bench: Any, kinds: Any) -> None:
    log = bench.lifelike._journal(200 * KIB, 300 * KIB)(kinds, Random(1))
    lines = log.splitlines()
    assert len(set(lines)) == len(lines) > 1000


def test_a_larger_hospital_has_more_wards_not_fuller_folders(bench: Any) -> None:
    assert len(bench.life.WARDS) * bench.life.WARD == bench.projection.MILLION
