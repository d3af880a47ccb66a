"""NumPy arrays: headers, and as many numbers as they announce."""

import importlib.util
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import npy

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize(
    ("kind", "shape", "version"),
    [
        ("'<f8'", "(900, 9)", 1),
        ("'<f8'", "(900, 9)", 2),
        ("'<U2'", "(90,)", 3),
        ("'|O'", "(9000000,)", 1),
        ("[('a', '<f8')]", "(900000,)", 1),
        ("'<i8'", "(3L, 9L)", 1),
        ("'|b1'", "()", 1),
    ],
)
def test_what_numpy_writes(kind: str, shape: str, version: int) -> None:
    data = made.npy(kind=kind, shape=shape, version=version)
    assert npy.FORMAT.recognises(data)
    assert npy.dissect(Bytes(data)).flaws == ()


def test_cut_and_other_files() -> None:
    data = made.npy()
    assert "announced" in npy.dissect(Bytes(data[:-1])).flaws[0].what
    for broken in (data[1:], data[:9] + b"\xff" + data[10:], data.replace(b"shape", b"sharp")):
        with pytest.raises(Malformed):
            npy.dissect(Bytes(broken))
