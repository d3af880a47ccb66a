"""EDF, EDF+ and BDF: recordings of narrow and of full-range signals, and what breaks them."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.health.edf import FORMAT
from vigie.judge import judge
from vigie.model import Kind, State

CHAOS = random.Random(20_261_123)
TALS = b"+0\x14\x14\0+1\x15\x30.5\x14\xc3\xa9veil du patient\x14\0".ljust(128, b"\0")


def wave(count: int, amplitude: float, noise: float) -> list[int]:
    low, high = -32768, 32767
    return [
        min(high, max(low, round(amplitude * math.sin(n / 9) + CHAOS.gauss(0, noise)))) for n in range(count)
    ]


def recording(
    *,
    full_range: bool = False,
    bdf: bool = False,
    plus: bool = True,
    records: int = 20,
    rate: int = 256,
    said: int | None = None,
) -> bytes:
    """Three signals, the second of which fills its range where asked, and annotations."""
    width = 3 if bdf else 2
    wide = [False, full_range, False]
    tal = TALS + (b"\0" if bdf else b"")
    labels = [b"EEG Fpz-Cz", b"EMG", b"ECG"] + ([b"EDF Annotations"] if plus else [])
    counts = [rate] * 3 + ([len(tal) // width] if plus else [])
    top = 1 << (8 * width - 1)
    ranges = [(-top, top - 1) if w or bdf else (-2048, 2047) for w in wide] + [(-top, top - 1)] * plus
    count = len(labels)

    def field(values: list[bytes], size: int) -> bytes:
        return b"".join(value.ljust(size) for value in values)

    start = (
        (b"\xffBIOSEMI" if bdf else b"0       ") + b"X F X X".ljust(80) + b"Startdate 02-MAR-2026".ljust(80)
    )
    start += b"02.03.2608.15.00" + str(256 * (count + 1)).encode().ljust(8) + b"EDF+C".ljust(44)
    start += (
        str(records if said is None else said).encode().ljust(8)
        + b"1".ljust(8)
        + str(count).encode().ljust(4)
    )
    header = b"".join(
        (
            start,
            field(labels, 16),
            field([b"AgAgCl electrode"] * count, 80),
            field([b"uV"] * count, 8),
            field([b"-500"] * count, 8),
            field([b"500"] * count, 8),
            field([str(low).encode() for low, _ in ranges], 8),
            field([str(high).encode() for _, high in ranges], 8),
            field([b"HP:0.1Hz LP:75Hz"] * count, 80),
            field([str(n).encode() for n in counts], 8),
            field([b""] * count, 32),
        )
    )
    scale = 256 if bdf else 1
    waves = [wave(rate * records, 8000 if w else 300, 6000 if w else 150) for w in wide]
    body = b""
    for record in range(records):
        for signal in waves:
            part = signal[record * rate : (record + 1) * rate]
            low = CHAOS.randrange(256) if bdf else 0
            body += b"".join((value * scale + low).to_bytes(width, "little", signed=True) for value in part)
        body += tal if plus else b""
    return header + body


HEALTHY = {
    "narrow": recording(),
    "full range": recording(full_range=True),
    "no annotations": recording(plus=False),
    "24 bits": recording(bdf=True),
    "still recording": recording(said=-1),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_recordings(name: str) -> None:
    data = HEALTHY[name]
    assert FORMAT.recognises(data[:HEAD])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.regions[-1].end == len(data)
    assert judge(Bytes(data), "x.edf").state is State.INTACT


def test_narrow_signals_are_structured_and_full_ones_coded() -> None:
    kinds = {name: FORMAT.dissect(Bytes(data)).regions[1].kind for name, data in HEALTHY.items()}
    assert kinds["narrow"] is Kind.STRUCTURED
    assert kinds["full range"] is kinds["24 bits"] is Kind.CODED


def on_off(data: bytes, on: int, off: int) -> bytes:
    hit = bytearray(data)
    for at in range(0, len(hit), on + off):
        hit[at : at + on] = CHAOS.randbytes(len(hit[at : at + on]))
    return bytes(hit)


def at(data: bytes, start: int, size: int) -> bytes:
    return data[:start] + CHAOS.randbytes(size) + data[start + size :]


@pytest.mark.parametrize("name", HEALTHY)
def test_struck_recordings_are_encrypted(name: str) -> None:
    data = HEALTHY[name]
    for struck in (
        CHAOS.randbytes(len(data)),
        at(data, 0, 4096),
        on_off(data, 64, 128),
        on_off(data, 16, 16),
        at(data, len(data) // 8192 * 4096, 4096),
    ):
        assert judge(Bytes(struck), "x.edf").state is State.ENCRYPTED


@pytest.mark.parametrize("name", ["full range", "24 bits"])
def test_three_struck_blocks_of_full_range_signals_are_told_apart(name: str) -> None:
    data, places = HEALTHY[name], (8192, 16384, 24576)
    for place in places:
        data = at(data, place, 4096)
    flaws = FORMAT.dissect(Bytes(data)).flaws
    for place in places:
        inside = [flaw for flaw in flaws if place - 256 <= flaw.start and flaw.end <= place + 4352]
        assert sum(flaw.end - flaw.start for flaw in inside) > 2000
    assert all(any(p - 256 <= flaw.start and flaw.end <= p + 4352 for p in places) for flaw in flaws)


@pytest.mark.parametrize("name", HEALTHY)
def test_every_cut_is_told(name: str) -> None:
    data = HEALTHY[name]
    for size in range(1, len(data), 997):
        try:
            anatomy = FORMAT.dissect(Bytes(data[:size]))
        except Malformed:
            continue
        assert anatomy.flaws or name == "still recording"


def test_oddities_are_notes() -> None:
    data = HEALTHY["narrow"]
    assert "bytes behind the last record" in FORMAT.dissect(Bytes(data + b"more")).notes[0]
    assert FORMAT.dissect(Bytes(recording(rate=0, plus=False))).notes == ("records without samples",)
    few = FORMAT.dissect(Bytes(recording(full_range=True, rate=8)))
    assert few.flaws == ()
    assert few.regions[1].kind is Kind.OPAQUE


def test_a_signal_header_that_was_hit_is_a_flaw_where_it_stands() -> None:
    data = bytearray(HEALTHY["narrow"])
    place = 256 + 216 * 4 + 8
    data[place : place + 8] = b"\x91\xa2\xb3\xc4\xd5\xe6\xf7\x08"
    (flaw,) = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert (flaw.start, flaw.what) == (place, "signal 2 has no number of samples")


def test_a_hurried_look_reads_little_and_says_so() -> None:
    class Watched:
        def __init__(self, data: bytes) -> None:
            self.data, self.size, self.read = data, 64 << 30, 0

        def at(self, offset: int, length: int) -> bytes:
            self.read += length
            start = offset if offset < 2048 else 2048 + (offset - 2048) % 30_000 // 2 * 2
            return (self.data[start:] + self.data * (length // len(self.data) + 1))[:length]

    blob = Watched(recording(full_range=True, said=-1))
    anatomy = FORMAT.dissect(blob, 4 << 20)
    assert "too large to be tested in full" in anatomy.notes
    assert blob.read < 5 << 20


@pytest.mark.parametrize("head", [b"", b"0       ", b"0".ljust(256), b"\xffBIOSEMI" + b"9" * 300])
def test_other_files_are_not(head: bytes) -> None:
    assert not FORMAT.recognises(head)
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(head))


def test_annotations_among_full_range_signals_are_text() -> None:
    data = HEALTHY["full range"]
    place = data.index(b"\x14\xc3\xa9veil", len(data) // 2) - 20
    flaws = FORMAT.dissect(Bytes(at(data, place, 128))).flaws
    assert any(place - 64 <= flaw.start < place + 128 for flaw in flaws)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_recordings(draw: st.DataObject) -> None:
    data = bytearray(HEALTHY[draw.draw(st.sampled_from(sorted(HEALTHY)))])
    for _ in range(draw.draw(st.integers(1, 5))):
        place = draw.draw(st.integers(0, 2000))
        data[place : place + 16] = draw.draw(
            st.binary(max_size=16) | st.just(b"99999999") | st.just(b"-1      ")
        )
    try:
        anatomy = FORMAT.dissect(Bytes(bytes(data)), draw.draw(st.sampled_from((0, 5000, 1 << 26))))
    except Malformed:
        return
    last = 0
    for region in anatomy.regions:
        assert last <= region.start < region.end <= len(data)
        last = region.end
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
