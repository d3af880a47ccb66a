"""What fuzzing found once is survived for ever: each file of `tests/fuzz/found` (made by `make fuzz`)."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vigie.formats import CATALOGUE, Format
from vigie.formats.contract import Dissect, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

FUZZ = Path(__file__).parent.parent / "fuzz"
FOUND = sorted((FUZZ / "found").glob("*.bin"))
FORMS = {form.name: form for form in CATALOGUE}


def _of_fuzz(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECKS = _of_fuzz("checks")
MINIMISE = _of_fuzz("minimise")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path) -> None:
    CHECKS.check(FORMS[path.stem.rpartition("-")[0]], path.read_bytes())


def _anatomy(*edges: tuple[int, int], flaw: tuple[int, int] = (0, 0)) -> Anatomy:
    regions = tuple(Region(start, end, Kind.OPAQUE, "some") for start, end in edges)
    return Anatomy("fake", regions, (Flaw(*flaw, "some"),))


def _late(_blob: Blob, _effort: int = 0) -> Anatomy:
    raise Malformed(9, "behind the end")


def _lost(_blob: Blob, _effort: int = 0) -> Anatomy:
    raise IndexError


BROKEN: dict[str, Dissect] = {
    "overlap": lambda _blob, _effort=0: _anatomy((0, 4), (3, 5)),
    "region behind the end": lambda _blob, _effort=0: _anatomy((0, 9)),
    "region before itself": lambda _blob, _effort=0: _anatomy((4, 2)),
    "flaw behind the end": lambda _blob, _effort=0: _anatomy(flaw=(0, 9)),
    "malformed behind the end": _late,
    "an exception": _lost,
    "regions without end": lambda _blob, _effort=0: _anatomy(*[(0, 0)] * 30_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_noticed(name: str) -> None:
    form = Format("fake", "Fake", "none", (), lambda _head: False, BROKEN[name])
    assert CHECKS.fault(form, b"8 bytes.") is not None


def test_time_and_answers_are_promised_as_well() -> None:
    form = Format("fake", "Fake", "none", (), lambda _head: False, lambda _blob, _effort=0: _anatomy((0, 8)))
    assert CHECKS.fault(form, b"8 bytes.") is None
    assert CHECKS.fault(form, b"8 bytes.", -1) == "fake: broken promise: a look is quick"
    vague: Any = lambda _head: None  # noqa: E731 - a recogniser that does not answer
    assert "says yes or no" in CHECKS.fault(replace(form, recognises=vague), b"8 bytes.")


def test_a_finding_is_made_small() -> None:
    data = bytes(range(1, 256)) * 40
    found = MINIMISE.minimised(data[:5000] + b"NEEDLE" + data, lambda tried: b"NEEDLE" in tried, 5.0)
    assert found == b"NEEDLE"
    kept = MINIMISE.minimised(data, lambda tried: len(tried) == len(data) and tried[7] == 8, 5.0)
    assert kept == bytes(7) + b"\x08" + bytes(len(data) - 8)
