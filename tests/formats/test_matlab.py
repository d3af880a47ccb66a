"""MATLAB files: plain and compressed elements, both orders of bytes."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import matlab

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes(order: str, compressed: bool) -> None:
    data = made.matlab(order=order, compressed=compressed)
    assert matlab.FORMAT.recognises(data)
    anatomy = matlab.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert bool(anatomy.checked) is compressed


def test_after_a_broken_element_the_next_one_is_tested() -> None:
    data = bytearray(made.matlab())
    starts = [r.start for r in matlab.dissect(Bytes(bytes(data))).regions]
    for start in (starts[2], starts[5]):
        data[start + 4000 : start + 4400] = random.Random(start).randbytes(400)
    flaws = matlab.dissect(Bytes(bytes(data))).flaws
    assert any(starts[2] <= flaw.start < starts[3] for flaw in flaws)
    assert any(starts[5] <= flaw.start < starts[6] for flaw in flaws)
    assert not any(starts[3] <= flaw.start < starts[5] for flaw in flaws)


def test_cut_hurried_and_other_files() -> None:
    data = made.matlab()
    assert matlab.dissect(Bytes(data[:-9])).flaws[-1].end == len(data) - 9
    assert matlab.dissect(Bytes(data), 9000).notes
    with pytest.raises(Malformed):
        matlab.dissect(Bytes(data[1:]))
