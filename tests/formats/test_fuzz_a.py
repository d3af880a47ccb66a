"""The matrix that patients' and office text formats must pass: healthy, overwritten, cut, chaos."""

import json as stdlib
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Format, Malformed
from vigie.formats.health import cda, dicom, dicom_fragments, dicom_frames, fhir, hl7v2
from vigie.formats.office import csv, json, text, xml
from vigie.model import Anatomy, Kind

# The order of the catalogue: the first that recognises a head wins.
FORMATS = (
    dicom.FORMAT,
    hl7v2.FORMAT,
    cda.FORMAT,
    fhir.FORMAT,
    xml.FORMAT,
    json.FORMAT,
    csv.FORMAT,
    text.FORMAT,
)
LINE = "Le patient présente une fièvre à 39°, un œdème léger ; traité le 12/03.\n"
Span = tuple[int, int]
Check = Callable[[bytes, int, int], Iterator[tuple[int, int, str]]]


def _dicom() -> bytes:
    def element(tag: int, vr: bytes, value: bytes) -> bytes:
        value += b" " * (len(value) % 2)
        head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
        return (
            head + (struct.pack("<xxI", len(value)) if vr == b"OW" else struct.pack("<H", len(value))) + value
        )

    body = element(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    head = bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(body))) + body
    texts = b"".join(element(0x00080020 + n, b"LO", b"a value of the header") for n in range(60))
    image = b"".join(
        element(t, b"US", struct.pack("<H", v))
        for t, v in ((0x00280010, 64), (0x00280011, 64), (0x00280100, 16))
    )
    pixels = b"".join(struct.pack("<H", 1000 + n % 97) for n in range(64 * 64))
    return head + texts + image + element(0x7FE00010, b"OW", pixels)


SAMPLES: dict[str, bytes] = {
    "dicom": _dicom(),
    "hl7v2": (
        "MSH|^~\\&|LABO|CHU|DPI|CHU|20260301||ORU^R01|42|P|2.5\r" + f"OBX|1|TX|A||{LINE.strip()}|\r" * 200
    ).encode(),
    "cda": f"<ClinicalDocument xmlns='urn:hl7-org:v3'>{f'<p>{LINE}</p>' * 200}</ClinicalDocument>".encode(),
    "fhir": stdlib.dumps({"resourceType": "Patient", "text": [LINE] * 200}, ensure_ascii=False).encode(),
    "xml": f"<?xml version='1.0' encoding='latin-1'?><a>{f'<p>{LINE}</p>' * 200}</a>".replace(
        "œ", "oe"
    ).encode("latin-1"),
    "json": stdlib.dumps([{"a": LINE}] * 200).encode(),
    "text": (LINE * 250).encode("cp1252"),
}


def winner(head: bytes) -> str | None:
    return next((f.name for f in FORMATS if f.recognises(head)), None)


def named(name: str) -> Format:
    return next(f for f in FORMATS if f.name == name)


def sound(anatomy: Anatomy, size: int) -> None:
    """The promises of `Anatomy`: regions rise without overlap, flaws are places in the blob, and few."""
    at = 0
    for region in anatomy.regions:
        assert at <= region.start < region.end <= size
        at = region.end
    assert len(anatomy.flaws) <= 2 * text.MAX_FLAWS
    assert all(0 <= f.start < f.end <= size for f in anatomy.flaws)
    assert list(anatomy.flaws) == sorted(anatomy.flaws, key=lambda f: f.start)


def seen(form: Format, data: bytes, hits: list[Span]) -> bool:
    """Whether the judge is given something to measure where `hits` are."""
    try:
        anatomy = form.dissect(Bytes(data))
    except Malformed as broken:
        return any(start - 64 <= broken.offset < end + 64 for start, end in hits)
    sound(anatomy, len(data))
    touched = any(f.start < end + 64 and start - 64 < f.end for f in anatomy.flaws for start, end in hits)
    measured = any(
        r.kind is Kind.STRUCTURED and r.start < end and start < r.end
        for r in anatomy.regions
        for start, end in hits
    )
    return touched or measured


def patterns(size: int) -> Iterator[list[Span]]:
    yield [(0, size)]
    yield [(0, min(4096, size))]
    for start in (0, 100):
        yield [(at, min(size, at + 64)) for at in range(start, size, 192)]
    yield [(at, min(size, at + 16)) for at in range(0, size, 32)]
    yield [(size // 2, min(size, size // 2 + 4096))]


def overwritten(data: bytes, hits: list[Span], chaos: random.Random) -> bytes:
    hit = bytearray(data)
    for start, end in hits:
        hit[start:end] = chaos.randbytes(end - start)
    return bytes(hit)


@pytest.mark.parametrize("name", SAMPLES)
def test_healthy(name: str) -> None:
    data = SAMPLES[name]
    assert winner(data[:HEAD]) == name
    anatomy = named(name).dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ()
    sound(anatomy, len(data))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", SAMPLES)
def test_overwritten(name: str, seed: int) -> None:
    chaos = random.Random(seed)
    for hits in patterns(len(SAMPLES[name])):
        data = overwritten(SAMPLES[name], hits, chaos)
        assert seen(named(name), data, hits)
        claimed = winner(data[:HEAD])
        # Where another format takes a broken head for its own, it has to see the damage as well.
        assert claimed is None or seen(named(claimed), data, hits)
    assert winner(chaos.randbytes(HEAD)) is None


@pytest.mark.parametrize("name", ["dicom", "cda", "fhir", "xml", "json"])
def test_cut(name: str) -> None:
    data = SAMPLES[name]
    quiet = 0
    for size in range(1, len(data), 37):
        try:
            quiet += not named(name).dissect(Bytes(data[:size])).flaws
        except Malformed as broken:
            assert 0 <= broken.offset <= size  # noqa: PT017  either is right
    # Between two DICOM elements nothing tells a cut file from a shorter one.
    assert quiet <= (8 if name == "dicom" else 0)


@pytest.mark.parametrize("name", ["hl7v2", "text"])
def test_cut_text_is_shorter_text(name: str) -> None:
    data = SAMPLES[name]
    for size in range(200, len(data), 997):
        flaws = named(name).dissect(Bytes(data[:size])).flaws
        assert all(f.start >= size - 3 for f in flaws)  # a character of UTF-8 that is cut


@given(st.binary(max_size=3000))
@settings(max_examples=100, deadline=None)
def test_chaos_never_crashes(data: bytes) -> None:
    for form in FORMATS:
        form.recognises(data[:HEAD])
        try:
            sound(form.dissect(Bytes(data)), len(data))
        except Malformed as broken:
            assert 0 <= broken.offset <= len(data)  # noqa: PT017  either is right


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=80)), min_size=1, max_size=6),
    st.integers(1, 20_000),
)
@settings(max_examples=150, deadline=None)
def test_mutations_never_crash(name: str, edits: list[tuple[int, bytes]], size: int) -> None:
    data = bytearray(SAMPLES[name])
    for at, what in edits:
        data[at % len(data) : at % len(data) + len(what)] = what
    raw = bytes(data)[:size]
    for form in FORMATS:
        form.recognises(raw[:HEAD])
        try:
            sound(form.dissect(Bytes(raw)), len(raw))
        except Malformed as broken:
            assert 0 <= broken.offset <= len(raw)  # noqa: PT017  either is right


TAGS = st.sampled_from(
    (
        0x00080060,
        0x00081140,
        0x00280010,
        0x54001010,
        0x60003000,
        0x7FE00008,
        0x7FE00010,
        0xFFFEE000,
        0xFFFEE00D,
        0xFFFEE0DD,
    )
)
VRS = st.sampled_from(
    (b"UI", b"CS", b"LO", b"US", b"SQ", b"OB", b"OW", b"OF", b"OD", b"UN", b"UT", b"\0\0", b"zz")
)
LENGTHS = st.one_of(st.integers(0, 40), st.sampled_from((0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF)))
SYNTAXES = st.sampled_from(
    (
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.5",
        *sorted(dicom_fragments.JPEGS | dicom_fragments.JPEG_LS),
    )
)


@given(SYNTAXES, st.lists(st.tuples(TAGS, VRS, LENGTHS, st.binary(max_size=40)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_dicom_grammar_never_crashes(uid: str, elements: list[tuple[int, bytes, int, bytes]]) -> None:
    order = ">" if uid.endswith(".2.2") else "<"
    said = uid.encode() + b"\0" * (len(uid) % 2)
    raw = bytes(128) + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(said)) + said
    for tag, vr, length, value in elements:
        raw += struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        if tag >> 16 == 0xFFFE or uid == "1.2.840.10008.1.2":
            raw += struct.pack(order + "I", length)
        elif vr in (b"SQ", b"OB", b"OW", b"OF", b"OD", b"UN", b"UT"):
            raw += vr + b"\0\0" + struct.pack(order + "I", length)
        else:
            raw += vr + struct.pack(order + "H", length & 0xFFFF)
        raw += value
    try:
        sound(dicom.FORMAT.dissect(Bytes(raw)), len(raw))
    except Malformed as broken:
        assert 0 <= broken.offset <= len(raw)  # noqa: PT017  either is right


@given(
    st.sampled_from((dicom_frames.jpeg_ls, dicom_frames.rle, dicom_frames.deflated)),
    st.sampled_from((b"", b"\xff\xd8\xff\xf7", struct.pack("<16I", 1, 64, *[0] * 14))),
    st.binary(min_size=2, max_size=2000),
    st.integers(0, 5000),
)
@settings(max_examples=200, deadline=None)
def test_frames_never_crash(check: Check, signature: bytes, data: bytes, plane: int) -> None:
    stream = signature + data
    for start, end, _ in check(stream, plane, plane // 7):
        assert 0 <= start <= end <= len(stream)


CORPUS = {"dicom": "dicom", "hl7v2": "hl7v2", "cda-fr": "cda", "fhir-r4": "fhir"}


@pytest.mark.parametrize("folder", CORPUS)
def test_corpus(corpus: Path, folder: str) -> None:
    chaos = random.Random(7)
    form = named(CORPUS[folder])
    for path in sorted((corpus / folder).rglob("*")):
        if not path.is_file() or path.stat().st_size > 700_000:
            continue
        data = path.read_bytes()
        assert winner(data[:HEAD]) == form.name, path.name
        if not path.name.endswith("too_short.dcm"):
            assert form.dissect(Bytes(data)).flaws == (), path.name
        for hits in list(patterns(len(data)))[:5]:
            assert seen(form, overwritten(data, hits, chaos), hits), path.name
