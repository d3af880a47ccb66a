"""Photoshop documents: sections and resources."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.psd import FORMAT, dissect

RESOURCE = b"8BIM\x04\x04\0\0\0\0\0\x05hello\0"


def document(version: int = 1, compression: int = 1) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH", version, 3, 40, 50, 8, 3)
    resources = RESOURCE * 9
    layers = struct.pack(">I" if version == 1 else ">Q", 200) + bytes(200)
    body = bytes(4) + struct.pack(">I", len(resources)) + resources + layers
    return head + body + struct.pack(">H", compression) + bytes(500)


@pytest.mark.parametrize("version", [1, 2])
def test_healthy_documents(version: int) -> None:
    data = document(version)
    assert FORMAT.recognises(data)
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.regions[-1].end == len(data)


def test_broken_documents() -> None:
    data = document()
    second = data.index(b"8BIM") + len(RESOURCE)
    hit = data[:second] + random.Random(1).randbytes(30) + data[second + 30 :]
    assert dissect(Bytes(hit)).flaws[0].start == second
    assert dissect(Bytes(document(compression=9))).flaws[0].what == "an image in an unknown compression"
    for place in (10, 60, 300):
        with pytest.raises(Malformed):
            dissect(Bytes(data[:place]))


@given(st.binary(max_size=80), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_it_fail(piece: bytes, at: int) -> None:
    whole = document()
    data = whole[:at] + piece + whole[at + len(piece) :]
    try:
        dissect(Bytes(data))
    except Malformed as malformed:
        assert 0 <= malformed.offset <= len(data)  # noqa: PT017 - raising it is allowed
