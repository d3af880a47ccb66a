"""NIfTI volumes of every kind of voxel, and what breaks them."""

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.health.nifti import FORMAT
from vigie.judge import judge
from vigie.model import Kind, State

CHAOS = random.Random(3)
DICE = np.random.default_rng(3)
TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    32: "c8",
    64: "f8",
    128: "u1",
    512: "u2",
    1536: "f8",
    1792: "c16",
}
SIDE = 24


def values(kind: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    count = SIDE**3 * (3 if kind == 128 else 2 if kind == 1536 else 1)
    smooth = 100 + 80 * np.sin(np.arange(count) / 50) + DICE.normal(0, 4, count)
    return np.asarray(smooth, np.float64)


def volume(kind: int, *, big: bool = False, version: int = 1, extra: int = 4, single: bool = True) -> bytes:
    order = ">" if big else "<"
    bits = {128: 24, 1536: 128}.get(kind, np.dtype(TYPES[kind]).itemsize * 8)
    voxels = values(kind).astype(order + TYPES[kind]).tobytes()
    dims = (3, SIDE, SIDE, SIDE, 1, 1, 1, 1)
    if version == 1:
        head = bytearray(348)
        struct.pack_into(order + "i", head, 0, 348)
        struct.pack_into(order + "8h", head, 40, *dims)
        struct.pack_into(order + "hh", head, 70, kind, bits)
        struct.pack_into(order + "f", head, 108, 348.0 + extra)
        head[344:348] = b"n+1\0" if single else b"ni1\0"
    else:
        head = bytearray(540)
        struct.pack_into(order + "i", head, 0, 540)
        head[4:12] = b"n+2\0\r\n\x1a\n"
        struct.pack_into(order + "hh", head, 12, kind, bits)
        struct.pack_into(order + "8q", head, 16, *dims)
        struct.pack_into(order + "q", head, 168, 540 + extra)
    return bytes(head) + (bytes(extra) + voxels if single else b"")


HEALTHY = {
    **{f"type {kind}": volume(kind) for kind in TYPES},
    "big endian": volume(4, big=True),
    "big endian floats": volume(16, big=True),
    "version 2": volume(16, version=2),
    "version 2, big endian": volume(512, version=2, big=True),
    "with an extension": volume(4, extra=400),
    "no gap": volume(2, extra=0),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_volumes(name: str) -> None:
    data = HEALTHY[name]
    assert FORMAT.recognises(data[:HEAD])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ()
    assert anatomy.regions[-1].end == len(data)
    assert judge(Bytes(data), "x.nii").state is State.INTACT


@pytest.mark.parametrize("name", HEALTHY)
def test_struck_volumes_are_encrypted(name: str) -> None:
    data = HEALTHY[name]
    middle = len(data) // 8192 * 4096
    chopped = bytearray(data)
    for place in range(0, len(chopped), 192):
        chopped[place : place + 64] = CHAOS.randbytes(len(chopped[place : place + 64]))
    hits = [CHAOS.randbytes(len(data)), CHAOS.randbytes(4096) + data[4096:], bytes(chopped)]
    if name != "type 1536":  # nobody agrees on what 128-bit floats are: opaque
        hits.append(data[:middle] + CHAOS.randbytes(4096) + data[middle + 4096 :])
    for struck in hits:
        assert judge(Bytes(struck), "x.nii").state is State.ENCRYPTED


def test_struck_floats_are_told_to_the_block() -> None:
    data = HEALTHY["type 16"]
    for place in (8192, 20480):
        data = data[:place] + CHAOS.randbytes(4096) + data[place + 4096 :]
    flaws = FORMAT.dissect(Bytes(data)).flaws
    for place in (8192, 20480):
        inside = [flaw for flaw in flaws if place <= flaw.start and flaw.end <= place + 4096]
        assert sum(flaw.end - flaw.start for flaw in inside) > 2400
        flaws = tuple(flaw for flaw in flaws if flaw not in inside)
    assert not flaws


def test_the_noise_of_phase_maps_is_healthy() -> None:
    noise = DICE.integers(-3142, 3142, SIDE**3).astype("<i2").tobytes()
    data = HEALTHY["type 4"][:352] + noise
    assert FORMAT.dissect(Bytes(data)).flaws == ()
    assert judge(Bytes(data), "x.nii").state is State.INTACT
    struck = data[:8192] + CHAOS.randbytes(4096) + data[12288:]
    assert judge(Bytes(struck), "x.nii").state is State.ENCRYPTED


def test_a_header_beside_its_image() -> None:
    anatomy = FORMAT.dissect(Bytes(volume(4, single=False) + bytes(4)))
    assert anatomy.flaws == ()
    assert [region.kind for region in anatomy.regions] == [Kind.STRUCTURED, Kind.OPAQUE]


def test_every_cut_is_told() -> None:
    for data in (HEALTHY["type 4"], HEALTHY["version 2"]):
        for size in range(1, len(data), 499):
            try:
                assert FORMAT.dissect(Bytes(data[:size])).flaws
            except Malformed:
                assert size < 540


def test_more_than_the_header_says_is_a_note() -> None:
    assert "bytes behind the last voxel" in FORMAT.dissect(Bytes(HEALTHY["type 2"] + bytes(9))).notes[0]


@pytest.mark.parametrize(
    ("at", "field"),
    [(70, b"\x07\x01"), (40, b"\0\0"), (42, b"\xff\xff"), (108, b"\0\0\xc0\x7f"), (108, b"\0\0\x80\x4f")],
)
def test_a_header_without_sense_is_a_flaw(at: int, field: bytes) -> None:
    data = HEALTHY["type 4"]
    (flaw,) = FORMAT.dissect(Bytes(data[:at] + field + data[at + len(field) :])).flaws
    assert flaw.start == 0


def test_a_hurried_look_says_what_it_did_not_test() -> None:
    data = HEALTHY["type 64"]
    anatomy = FORMAT.dissect(Bytes(data), 10)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too large to be tested in full",)


@pytest.mark.parametrize("head", [b"", bytes(600), b"\x5c\x01\0\0" + bytes(500)])
def test_other_files_are_not(head: bytes) -> None:
    assert not FORMAT.recognises(head)
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(head))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_volumes(draw: st.DataObject) -> None:
    data = bytearray(HEALTHY[draw.draw(st.sampled_from(("type 16", "version 2", "big endian")))])
    for _ in range(draw.draw(st.integers(1, 5))):
        place = draw.draw(st.integers(12, 340))
        data[place : place + 8] = draw.draw(st.binary(max_size=8))
    try:
        anatomy = FORMAT.dissect(Bytes(bytes(data)))
    except Malformed:
        return
    last = 0
    for region in anatomy.regions:
        assert last <= region.start < region.end <= len(data)
        last = region.end
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
