"""Windows metafiles: chains of records."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import Bytes, Format, Malformed
from vigie.formats.media.metafile import FORMATS

WMF, EMF = FORMATS


def wmf(*, placeable: bool = True) -> bytes:
    fields = [0xCDD7, 0x9AC6, 0, 0, 0, 900, 600, 1440, 0, 0]
    check = 0
    for word in fields:
        check ^= word
    lead = struct.pack("<11H", *fields, check) if placeable else b""
    head = struct.pack("<HHHIHIH", 1, 9, 0x300, 500, 0, 100, 0)
    return lead + head + struct.pack("<IHHH", 5, 0x213, 10, 20) * 99 + struct.pack("<IH", 3, 0)


def emf() -> bytes:
    head = struct.pack("<II32x4sI", 1, 88, b" EMF", 0x10000) + bytes(40)
    return head + struct.pack("<IIII", 54, 16, 3, 4) * 99 + struct.pack("<IIIII", 14, 20, 0, 16, 20)


SAMPLES = [(WMF, wmf()), (WMF, wmf(placeable=False)), (EMF, emf())]


@pytest.mark.parametrize(("form", "data"), SAMPLES)
def test_healthy_metafiles(form: Format, data: bytes) -> None:
    assert form.recognises(data)
    assert form.dissect(Bytes(data)).flaws == ()
    assert form.dissect(Bytes(data + b"more")).flaws == ()


@pytest.mark.parametrize(("form", "data"), SAMPLES)
def test_broken_metafiles(form: Format, data: bytes) -> None:
    hit = data[:300] + random.Random(1).randbytes(200) + data[500:]
    assert form.dissect(Bytes(hit)).flaws[0].start <= 500
    assert form.dissect(Bytes(data[:-30])).flaws
    cut = form.dissect(Bytes(data[:303])).flaws
    assert cut[-1].end == 303 or cut[0].start == 303
    with pytest.raises(Malformed):
        form.dissect(Bytes(data[:12]))


@given(st.binary(max_size=80), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_them_fail(piece: bytes, at: int) -> None:
    for form, whole in SAMPLES:
        data = whole[:at] + piece + whole[at + len(piece) :]
        try:
            form.dissect(Bytes(data))
        except Malformed as malformed:
            assert malformed.offset == 0  # noqa: PT017 - raising it is allowed
