import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.formats import Format, Malformed
from vigie.formats.contract import Bytes
from vigie.judge import judge, rules
from vigie.judge import verdict as verdict_room
from vigie.judge.randomness import Randomness
from vigie.model import (
    MAP_CELLS,
    Anatomy,
    Basis,
    Flaw,
    Kind,
    Likeness,
    Pattern,
    Range,
    Region,
    State,
    Verdict,
)

DICE = random.Random(7)


def text() -> bytes:
    return "Compte rendu : évolution favorable, glycémie 5,4 mmol/l.\r\n".encode() * 300


def latin() -> bytes:
    return "Créatinine;84;µmol/l;à revoir été prochain\r\n".encode("latin-1") * 300


def wide() -> bytes:
    return "\ufeffPatiente âgée, opérée l’été dernier.\r\n".encode("utf-16-le") * 200


def document() -> bytes:
    return json.dumps([{"resourceType": "Patient", "id": n, "name": "Éléonore"} for n in range(400)]).encode()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(5):
            file.writestr(f"{number}.txt", DICE.randbytes(50) + text() + DICE.randbytes(3000))
    return buffer.getvalue()


def picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    width = height = 100
    noise = np.random.default_rng(1).normal(120, 40, (height, width)).clip(0, 255).astype(np.uint8)
    rows = b"".join(b"\x00" + bytes(row) for row in noise)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


ARCHIVE = archive()

HEALTHY: dict[str, Callable[[], bytes]] = {
    "note.txt": text,
    "noms.csv": latin,
    "export.txt": wide,
    "bundle.json": document,
    "dossier.zip": lambda: ARCHIVE,
    "photo.png": picture,
}


def whole(data: bytes) -> bytes:
    return DICE.randbytes(len(data))


def head(data: bytes) -> bytes:
    return DICE.randbytes(4096) + data[4096:]


def every(on: int, off: int) -> Callable[[bytes], bytes]:
    def overwrite(data: bytes) -> bytes:
        out = bytearray(data)
        for start in range(0, len(data), on + off):
            out[start : start + on] = DICE.randbytes(len(out[start : start + on]))
        return bytes(out)

    return overwrite


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_files_are_intact(name: str) -> None:
    verdict = judge(Bytes(HEALTHY[name]()), name)
    assert verdict.state is State.INTACT
    assert verdict.evidence
    assert verdict.likeness is not None
    assert len(verdict.likeness.map) == MAP_CELLS


@pytest.mark.parametrize("ending", ["", ".locked", ".id-77.[help@evil].lock"])
@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize(
    ("overwrite", "patterns"),
    [
        (whole, {Pattern.FULL}),
        (head, {Pattern.HEADER, Pattern.FULL, Pattern.INTERMITTENT}),
        (every(64, 128), {Pattern.INTERMITTENT, Pattern.FULL, Pattern.PARTIAL, Pattern.HEADER}),
        (every(16, 16), {Pattern.INTERMITTENT, Pattern.PARTIAL, Pattern.FULL, Pattern.HEADER}),
    ],
)
def test_overwritten_files_are_encrypted(
    name: str, ending: str, overwrite: Callable[[bytes], bytes], patterns: set[Pattern]
) -> None:
    verdict = judge(Bytes(overwrite(HEALTHY[name]())), name + ending)
    assert verdict.state is State.ENCRYPTED
    assert verdict.pattern in patterns
    assert verdict.ranges[0].start < 256 or name in ("dossier.zip", "export.txt")
    assert verdict.format is not None


@pytest.mark.parametrize("name", ["note.txt", "noms.csv", "bundle.json"])
def test_a_struck_middle_of_a_text_is_found_where_it_is(name: str) -> None:
    data = bytearray(HEALTHY[name]())
    data[8000:10000] = DICE.randbytes(2000)
    verdict = judge(Bytes(bytes(data)), name)
    assert verdict.state is State.ENCRYPTED
    assert verdict.pattern is Pattern.PARTIAL
    assert abs(verdict.ranges[0].start - 8000) <= 64
    assert abs(verdict.ranges[-1].end - 10000) <= 64


@pytest.mark.parametrize("name", HEALTHY)
def test_a_zeroed_or_cut_file_is_damaged_not_encrypted(name: str) -> None:
    data = HEALTHY[name]()
    start = 4096 if name.endswith(("txt", "csv")) else 0  # a log may begin or end with zeros
    zeroed = judge(Bytes(data[:start] + bytes(4096) + data[start + 4096 :]), name)
    assert zeroed.state is State.DAMAGED, zeroed
    if name in ("bundle.json", "dossier.zip", "photo.png"):
        assert judge(Bytes(data[: len(data) // 2]), name).state is State.DAMAGED


def test_what_nobody_knows_is_unknown_and_why() -> None:
    verdict = judge(Bytes(DICE.randbytes(10_000)), "thing")
    assert (verdict.state, verdict.basis) == (State.UNKNOWN, Basis.STATISTICS)
    assert "random from end to end" in verdict.evidence[0]
    table = judge(Bytes(bytes(range(256)) * 40), "thing.bin")
    assert table.state is State.UNKNOWN
    assert "0% of it looks random" in table.evidence[0]


def test_a_name_that_only_hints_never_makes_an_encrypted_verdict_alone() -> None:
    foreign = b"QM\x01\x00PK\x03\x04" + bytes(40) + DICE.randbytes(9000)
    verdict = judge(Bytes(foreign), "java.xml.qmod")
    assert verdict.state is State.UNKNOWN
    assert "hints at XML" in verdict.evidence[-1]
    assert judge(Bytes(bytes(200) + DICE.randbytes(9000)), "Thumbs.db").state is State.UNKNOWN


def test_a_foreign_alphabet_is_not_random() -> None:
    russian = "Съешь же ещё этих мягких французских булок да выпей чаю. ".encode("cp1251") * 100
    for name in ("a.txt", "a.xml", "a"):
        assert judge(Bytes(b"<p>" + russian), name).state is not State.ENCRYPTED


def test_a_name_that_promises_something_else_is_said() -> None:
    verdict = judge(Bytes(picture()), "scan.jpg")
    assert (verdict.state, verdict.format) == (State.INTACT, "png")
    assert "named as JPEG" in verdict.evidence[-1]
    assert judge(Bytes(text()), "scan.pdf").state is State.DAMAGED


def test_empty_files() -> None:
    assert judge(Bytes(b""), "a.txt").state is State.INTACT
    assert judge(Bytes(b""), "whatever").state is State.INTACT
    empty = judge(Bytes(b""), "a.dcm")
    assert (empty.state, empty.format) == (State.DAMAGED, "dicom")
    assert empty.likeness is not None
    assert empty.likeness.map == b""


@pytest.mark.parametrize("size", [1, 15, 16, 63, 64, 65, 1023, 1024, 4095, 4096, 4097])
def test_small_files_of_every_size(size: int) -> None:
    assert judge(Bytes(b"a" * size), "a.txt").state is State.INTACT
    random_bytes = judge(Bytes(DICE.randbytes(size)), "a.dcm")
    assert random_bytes.state in (State.ENCRYPTED, State.DAMAGED)
    assert random_bytes.state is State.ENCRYPTED or size < 64


def test_a_script_with_data_behind_it_is_unknown_and_a_text_is_not() -> None:
    data = b"#!/bin/sh\n" + b"echo unpacking; tail -n +3 $0 | tar xz\n" * 200 + DICE.randbytes(40_000)
    assert judge(Bytes(data), "install").state is State.UNKNOWN
    assert judge(Bytes(data), "install.txt").state is State.ENCRYPTED


class Failing:
    size = 100

    def at(self, offset: int, length: int) -> bytes:
        del offset, length
        raise Unreadable("it shrank while it was read")


def test_what_cannot_be_read_is_skipped() -> None:
    assert judge(Failing(), "a.txt") == Verdict.skipped("it shrank while it was read")


class Vast:
    """A text of 300 MiB, random from its 100th to its 140th MiB."""

    size = 300 << 20

    def __init__(self) -> None:
        self.read = 0

    def at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        self.read += length
        if 100 << 20 <= offset < 140 << 20:
            return DICE.randbytes(length)
        return (b"a quiet line of text\n" * (length // 21 + 1))[:length]


def test_a_large_file_is_sampled_and_read_in_full_once_it_is_struck(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = Vast()
    found = Randomness(blob)
    assert not found.whole
    assert blob.read == found.read < blob.size / 3
    sampled = judge(Vast(), "a.txt")
    assert sampled.state is State.ENCRYPTED
    assert sampled.read == blob.size
    (hit,) = sampled.ranges
    assert abs(hit.start - (100 << 20)) <= 64
    assert abs(hit.end - (140 << 20)) <= 64
    monkeypatch.setattr(verdict_room, "LOCATED", 200 << 20)
    rough = judge(Vast(), "a.txt")
    assert rough.read == found.read
    assert "head, tail and evenly between" in rough.evidence[-1]
    assert all(100 << 20 <= hit.start < hit.end <= 140 << 20 for hit in rough.ranges)


# The version before.


def before(data: bytes, name: str) -> Likeness:
    likeness = judge(Bytes(data), name).likeness
    assert likeness is not None
    return likeness


def proprietary(size: int = 60_000) -> bytes:
    return b"".join(n.to_bytes(4, "little") + b"PATIENT  " + bytes(19) for n in range(size // 32))


@pytest.mark.parametrize(
    ("overwrite", "pattern"), [(whole, Pattern.FULL), (head, Pattern.HEADER), (every(2048, 2048), None)]
)
def test_a_format_nobody_knows_is_judged_by_its_change(
    overwrite: Callable[[bytes], bytes], pattern: Pattern | None
) -> None:
    old = before(proprietary(), "base.fic")
    new = Bytes(overwrite(proprietary()))
    assert judge(new, "base.fic").state is State.UNKNOWN
    verdict = judge(new, "base.fic", old)
    assert (verdict.state, verdict.basis) == (State.ENCRYPTED, Basis.COMPARISON)
    assert pattern is None or verdict.pattern is pattern
    assert "was a file of unknown format" in verdict.evidence[0]


@pytest.mark.parametrize(
    ("overwrite", "pattern"),
    [
        (lambda data: data[:30_000] + DICE.randbytes(len(data) - 30_000), Pattern.PARTIAL),
        (lambda data: data[:1024] + every(512, 1024)(data[1024:]), Pattern.INTERMITTENT),
    ],
)
def test_so_is_a_change_that_spares_the_head(overwrite: Callable[[bytes], bytes], pattern: Pattern) -> None:
    verdict = judge(Bytes(overwrite(proprietary())), "base.fic", before(proprietary(), "base.fic"))
    assert (verdict.state, verdict.pattern) == (State.ENCRYPTED, pattern)
    assert verdict.confidence < 0.9


def test_ordinary_changes_of_such_a_file_stay_unknown() -> None:
    old = before(proprietary(), "base.fic")
    grown = proprietary(90_000) + zlib.compress(text()) * 10
    assert judge(Bytes(grown), "base.fic", old).state is State.UNKNOWN
    always_random = before(DICE.randbytes(9000), "vault.bin")
    assert judge(Bytes(DICE.randbytes(9000)), "vault.bin", always_random).state is State.UNKNOWN
    assert judge(Bytes(b""), "base.fic", old).state is State.INTACT
    encrypted = Likeness(State.ENCRYPTED, None, 9000, 0.0, bytes(MAP_CELLS))
    assert judge(Bytes(DICE.randbytes(9000)), "x", encrypted).state is State.UNKNOWN
    odd = Likeness(State.UNKNOWN, None, 9000, 0.5, b"")
    assert judge(Bytes(DICE.randbytes(9000)), "x", odd).state is State.UNKNOWN


def test_random_stretches_that_keep_a_rhythm_are_no_chance() -> None:
    old = before(proprietary(2_000_000), "base.fic")
    struck = bytearray(proprietary(2_000_000))
    for start in range(200_000, 2_000_000, 400_000):
        struck[start : start + 4096] = DICE.randbytes(4096)
    verdict = judge(Bytes(bytes(struck)), "base.fic", old)
    assert (verdict.state, verdict.basis) == (State.ENCRYPTED, Basis.COMPARISON)
    assert len(verdict.ranges) == 5
    assert verdict.period is not None
    assert abs(verdict.period.on - 4096) <= 64
    pictures = bytearray(proprietary(2_000_000))
    for start in (150_000, 420_000, 1_100_000, 1_250_000, 1_800_000):  # a scan in a record, now and then
        pictures[start : start + 4096] = DICE.randbytes(4096)
    assert judge(Bytes(bytes(pictures)), "base.fic", old).state is State.UNKNOWN


def test_a_file_that_became_another_kind_of_file_is_said_to_have() -> None:
    verdict = judge(Bytes(archive()), "note.txt", before(text(), "note.txt"))
    assert verdict.state is State.INTACT
    assert "was text, is zip" in verdict.evidence


def test_a_document_renamed_to_nothing_known_is_told_by_its_version_before() -> None:
    verdict = judge(Bytes(whole(text())), "8f3a2c", before(text(), "note.txt"))
    assert (verdict.state, verdict.format) == (State.ENCRYPTED, "text")


# The rules themselves, on anatomies made by hand.


def anatomy(*regions: Region, flaws: tuple[Flaw, ...] = (), checked: int = 0) -> Anatomy:
    return Anatomy("made", regions, flaws, checked)


def test_random_bytes_in_a_structured_region_are_encryption_and_elsewhere_are_not() -> None:
    data = bytes(4096) + DICE.randbytes(4096) + bytes(4096)
    table = anatomy(Region(0, 12288, Kind.STRUCTURED, "table"))
    verdict = rules.healthy_or_struck(table, Randomness(Bytes(data)), recognised=True)
    assert (verdict.state, verdict.pattern) == (State.ENCRYPTED, Pattern.PARTIAL)
    assert verdict.ranges == (Range(4096, 8192),)
    for kind in (Kind.CODED, Kind.OPAQUE):
        other = anatomy(Region(0, 12288, kind, "stream"), checked=5)
        assert rules.healthy_or_struck(other, Randomness(Bytes(data)), recognised=True).state is State.INTACT


def test_a_flaw_is_encryption_only_where_it_is_random() -> None:
    for data, state in (
        (DICE.randbytes(8192), State.ENCRYPTED),
        (bytes(8192), State.DAMAGED),
        (zlib.compress(text() * 3)[:8192].ljust(8192, b"x"), State.DAMAGED),
    ):
        for checksum in (True, False):
            broken = anatomy(
                Region(0, 8192, Kind.CODED, "stream"), flaws=(Flaw(0, 8192, "it does not inflate", checksum),)
            )
            verdict = rules.healthy_or_struck(broken, Randomness(Bytes(data)), recognised=True)
            assert verdict.state is state
            assert verdict.basis is (Basis.CHECKSUM if checksum else Basis.STRUCTURE)
    cut = anatomy(Region(0, 8192, Kind.CODED, "stream"), flaws=(Flaw(8192, 8192, "it ends too early"),))
    assert (
        rules.healthy_or_struck(cut, Randomness(Bytes(DICE.randbytes(8192))), recognised=True).state
        is State.DAMAGED
    )
    table = anatomy(Region(0, 8192, Kind.STRUCTURED, "table"), flaws=(Flaw(4000, 4004, "no such tag"),))
    data = bytes(3968) + DICE.randbytes(128) + bytes(4096)
    assert rules.healthy_or_struck(table, Randomness(Bytes(data)), recognised=True).state is State.ENCRYPTED


@pytest.mark.parametrize(
    ("data", "state", "pattern", "ranges"),
    [
        (bytes(5000) + DICE.randbytes(1000) + bytes(5000), State.ENCRYPTED, Pattern.PARTIAL, 1),
        (bytes(4992) + every(64, 128)(bytes(6000)), State.ENCRYPTED, Pattern.INTERMITTENT, 1),
        (bytes(4992) + every(16, 16)(bytes(6000)), State.ENCRYPTED, Pattern.INTERMITTENT, 1),
        (bytes(11_000), State.DAMAGED, None, 0),
    ],
)
def test_what_breaks_off_is_encrypted_where_it_is_random(
    data: bytes, state: State, pattern: Pattern | None, ranges: int
) -> None:
    kind = Format("made", "a made one", "", (), lambda _: True, lambda *_: anatomy())
    verdict = rules.malformed(kind, Malformed(5008, "no such thing"), Randomness(Bytes(data)))
    assert (verdict.state, verdict.pattern, len(verdict.ranges)) == (state, pattern, ranges)
    assert all(4800 < hit.start < 5100 for hit in verdict.ranges)


def test_an_opaque_file_is_intact_if_recognised_and_unknown_if_only_named() -> None:
    opaque = anatomy(Region(0, 4096, Kind.OPAQUE, "anything"))
    data = Randomness(Bytes(DICE.randbytes(4096)))
    assert rules.healthy_or_struck(opaque, data, recognised=True).state is State.INTACT
    assert rules.healthy_or_struck(opaque, data, recognised=False).state is State.UNKNOWN


@given(
    st.binary(max_size=3000), st.sampled_from(["a.dcm", "a.pdf", "a.zip", "a.json", "a.txt.x", "a", "a.db"])
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_the_judge_fail(data: bytes, name: str) -> None:
    verdict = judge(Bytes(data), name)
    assert verdict.state in set(State)
    with pytest.raises(TypeError, match="not a boolean"):
        bool(verdict)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_nor_do_healthy_files_with_a_few_bytes_changed(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(HEALTHY)))
    content = bytearray(HEALTHY[name]())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(max_size=20))
        content[at : at + len(piece)] = piece
    judge(Bytes(bytes(content)), name)


def test_the_whole_corpus_is_healthy(corpus: Path) -> None:
    said = {}
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and path.name != "ORIGIN.md":
            said[path.name] = judge(Bytes(path.read_bytes()), path.name).state
    assert len(said) > 250
    assert {name for name, state in said.items() if state is not State.INTACT} == {
        "emri_small_jpeg_2k_lossless_too_short.dcm"  # its last fragment is cut off: damaged, and truly so
    }
    assert State.ENCRYPTED not in said.values()
