"""HL7 v2 messages, bare and framed."""

import base64
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.health import hl7v2
from vigie.formats.health.hl7v2 import FORMAT
from vigie.formats.office import text
from vigie.model import Charset

CHAOS = random.Random(251)
MESSAGE = (
    "MSH|^~\\&|LABO|CHU|DPI|CHU|20260301||ORU^R01|42|P|2.5|||||FRA|UNICODE UTF-8\r"
    "PID|1||12345^^^CHU||Dupré^Hélène||19600102|F\r"
    "OBR|1|||NFS\r"
    "OBX|1|NM|718-7^Hb||13.2|g/dL|12-16||||F\r"
    "OBX|2|ED|PDF||^application^pdf^Base64^" + "JVBERi0xLjQK" * 90 + "\r"
)


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (MESSAGE.encode(), Charset.UTF8),
        (MESSAGE.replace("\r", "\n").encode(), Charset.UTF8),
        (MESSAGE.replace("\r", "\r\n").encode("utf-8-sig"), Charset.UTF8),
        (b"\x0b" + MESSAGE.encode() + b"\x1c\r", Charset.UTF8),
        ((b"\x0b" + MESSAGE.encode() + b"\x1c\r") * 20, Charset.UTF8),
        (b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + MESSAGE.encode() + b"BTS|1\rFTS|1\r", Charset.UTF8),
        (MESSAGE.replace("UNICODE UTF-8", "8859/1").encode("latin-1"), Charset.LATIN1),
        (MESSAGE.encode("utf-16"), Charset.UTF16),
        (MESSAGE.replace("|", "#").replace("^", "@").encode(), Charset.UTF8),
    ],
)
def test_healthy_messages(data: bytes, charset: Charset) -> None:
    assert FORMAT.recognises(data[:HEAD])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ()
    assert [r.charset for r in anatomy.regions] == [charset]


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (MESSAGE.encode("latin-1"), "MSH-18 says UTF-8, and the text is not"),
        (MESSAGE.encode() + b"and a line of a report\r", "lines that begin no segment"),
    ],
)
def test_oddities_are_notes(data: bytes, note: str) -> None:
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == (note,)


def test_messages_longer_than_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "SLICE", 100)
    assert FORMAT.dissect(Bytes(MESSAGE.encode() * 3)).notes == ()


@pytest.mark.parametrize(
    "head", [b"", b"MSH", b"MSHxyz", b"MSH|words|", b"PID|1", b"<MSH>", b"MSH\x01^~\\&\x01"]
)
def test_other_files_are_not(head: bytes) -> None:
    assert not FORMAT.recognises(head)


def test_damage_is_a_flaw_where_it_stands() -> None:
    data = bytearray(MESSAGE.encode())
    data[300:364] = bytes(range(64))
    assert any(f.start <= 300 < f.end for f in FORMAT.dissect(Bytes(bytes(data))).flaws)


def test_a_frame_that_does_not_end_is_a_flaw() -> None:
    assert FORMAT.dissect(Bytes(b"\x0b" + MESSAGE.encode())).flaws[0].what == "MLLP frame without its end"


def test_an_overwritten_start_is_malformed() -> None:
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(bytes(range(16)) * 90 + MESSAGE.encode()))
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(b"no message at all\r" * 20))


def test_a_start_that_was_hit_is_a_flaw_and_the_rest_is_read() -> None:
    anatomy = FORMAT.dissect(Bytes(bytes(range(64)) + MESSAGE.encode()))
    assert anatomy.flaws[0].what == "no MSH, FHS or BHS segment at the start"
    assert anatomy.regions[0].end == 64 + len(MESSAGE.encode())


BATCH = "FHS|^~\\&|A\rBHS|^~\\&|A\r" + MESSAGE


@pytest.mark.parametrize(
    ("data", "flaws", "notes"),
    [
        (BATCH + "BTS|1\rFTS|1\r", 0, ()),
        (BATCH + "BTS|1\r", 0, ("a batch file without its trailer (FTS)",)),
        (BATCH[:-40], 1, ()),
    ],
)
def test_a_batch_file_has_a_trailer(data: str, flaws: int, notes: tuple[str, ...]) -> None:
    anatomy = FORMAT.dissect(Bytes(data.encode()))
    assert (len(anatomy.flaws), anatomy.notes) == (flaws, notes)


def test_a_struck_place_leaves_the_segments_behind_it_alone() -> None:
    data = bytearray(MESSAGE.encode() * 20)
    for at in (4096, 12288, 20480):
        data[at : at + 512] = CHAOS.randbytes(512)
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    for at in (4096, 12288, 20480):
        assert any(flaw.start < at + 512 and flaw.end > at for flaw in flaws)
    assert all(any(at - 64 <= f.start and f.end <= at + 576 for at in (4096, 12288, 20480)) for f in flaws)


def test_a_document_of_random_bytes_is_a_flaw() -> None:
    at = MESSAGE.index("JVBER")
    data = (MESSAGE[:at] + base64.b64encode(CHAOS.randbytes(900)).decode() + "\r").encode()
    (flaw,) = FORMAT.dissect(Bytes(data)).flaws
    assert (flaw.start, flaw.end) == (len(MESSAGE[:at].encode()), len(data))


def test_a_hurried_look_reads_a_part() -> None:
    class Watched:
        def __init__(self, data: bytes) -> None:
            self.data, self.size, self.read = data, len(data), 0

        def at(self, offset: int, length: int) -> bytes:
            part = self.data[offset : offset + length]
            self.read += len(part)
            return part

    blob = Watched(MESSAGE.encode() * 8000)
    assert FORMAT.dissect(blob, 1 << 20).flaws == ()
    assert blob.read < blob.size


def loose_twin(data: bytes, separator: bytes, *, more: bool) -> bool:
    """Line by line, what `_loose` does byte by byte."""
    segment = re.compile(rb"[A-Z][A-Z0-9]{2}(?:" + re.escape(separator) + rb"|$)")
    lines = re.split(rb"[\r\n\x0b\x1c]", data)
    for line in lines[: -1 if more else None]:
        words = line.removeprefix(b"\xef\xbb\xbf").strip()
        if words and not segment.match(words):
            return True
    return False


PIECES = (
    *(b"MSH|^~\\&|", b"PID|1|x\r", b"Z2Z", b"OBX", b" ", b"\t", b"\f", b"\r", b"\n", b"\x0b", b"\x1c\r"),
    *(b"\xef\xbb\xbf", b"a", b"|", b"MS", b"1AB|", b"AB", b"A1_|", b"ABCD"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.booleans())
@settings(max_examples=200, deadline=None)
def test_loose_lines_equal_their_naive_twin(data: bytes, more: bool) -> None:
    for loop in (hl7v2._loose, hl7v2._loose.py_func):  # type: ignore[attr-defined] # numba has no types
        assert loop(np.frombuffer(data, np.uint8), 0, ord("|"), more) == loose_twin(data, b"|", more=more)
