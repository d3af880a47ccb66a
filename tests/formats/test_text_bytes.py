"""Bytes counted in one pass: equal to counting them one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.office import text_bytes
from vigie.formats.office.text_bytes import BAD, TOLERATED, tally


def twin(data: bytes) -> tuple[int, int, int]:
    return (
        sum(byte in BAD for byte in data),
        sum(byte in TOLERATED for byte in data),
        sum(byte >= 0x80 for byte in data),
    )


def test_every_byte_has_its_place() -> None:
    for byte in range(256):
        for length in (1, 127, 128, 129, 1000):
            data = bytes([byte]) * length
            assert tally(data) == twin(data)
    assert tally(b"") == (0, 0, 0)


@given(st.binary(max_size=700), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_any_bytes_equal_their_naive_twin(data: bytes, times: int) -> None:
    assert tally(data * times) == twin(data * times)


def test_the_plain_loop_equals_the_compiled_one() -> None:
    data = bytes(range(256)) * 3 + b"\x7f\x01"
    text_bytes.warm()
    plain = text_bytes._tally.py_func  # type: ignore[attr-defined] # what numba compiled it from
    assert tuple(map(int, plain(np.frombuffer(data, np.uint8)))) == twin(data)
