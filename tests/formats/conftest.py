"""Fixtures for the tests of formats: a verdict by one format alone, and the ways of overwriting a file."""

import random
from collections.abc import Callable

import pytest

from vigie import formats
from vigie.formats import Format
from vigie.formats.contract import Bytes
from vigie.judge import judge
from vigie.model import Verdict

Judged = Callable[[Format, bytes], Verdict]
Attacks = Callable[[bytes], dict[str, bytes]]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Judged:
    """Judge bytes under the first ending of a format, with no other format in the catalogue."""

    def call(form: Format, data: bytes) -> Verdict:
        monkeypatch.setattr(formats, "CATALOGUE", (form,))
        monkeypatch.setattr(formats, "_PROMISED", dict.fromkeys(form.suffixes, form))
        return judge(Bytes(data), f"x.{form.suffixes[0]}")

    return call


@pytest.fixture
def attacks() -> Attacks:
    """A file, overwritten with random bytes: wholly, at its head, in small and in large steps."""

    def call(data: bytes) -> dict[str, bytes]:
        return {
            "whole": _struck(data, len(data), 0),
            "head": _struck(data, 4096, len(data)),
            "64 on, 128 off": _struck(data, 64, 128),
            "16 on, 16 off": _struck(data, 16, 16),
            "64 KiB of 256": _struck(data, 65536, 3 * 65536),
        }

    return call


@pytest.fixture
def block_struck() -> Callable[[bytes, int], bytes]:
    """A file with the 4 KiB block overwritten in which an offset lies."""

    def call(data: bytes, offset: int) -> bytes:
        start = offset - offset % 4096
        return data[:start] + _struck(data[start : start + 4096], 4096, 0) + data[start + 4096 :]

    return call


def _struck(data: bytes, on: int, off: int) -> bytes:
    dice = random.Random(len(data))
    struck = bytearray(data)
    for start in range(0, len(data), on + off):
        struck[start : start + on] = dice.randbytes(len(struck[start : start + on]))
    return bytes(struck)
