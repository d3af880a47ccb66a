"""The matrix for programs and their kin: healthy, overwritten in every pattern, cut anywhere, chaos."""

import contextlib
import importlib.util
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Format, Malformed
from vigie.judge import rules
from vigie.judge.kernels import glance
from vigie.judge.randomness import Randomness
from vigie.model import Anatomy, Flaw, Kind, State, Verdict

MAKERS = {"gitpack": "pack", "gitindex": "index", "gitobject": "loose"} | dict.fromkeys(
    ["elf", "pe", "javaclass", "pyc", "mo", "ar", "bitcode", "terminfo", "tzif", "wasm", "jmod", "macho"],
    "healthy",
)
OPAQUE_INSIDE = {"elf", "pe", "ar", "bitcode", "wasm", "macho", "javaclass", "gitindex", "tzif", "terminfo"}
"""Code may be anything, so a block in the middle of it is not told; or they have no middle to speak of."""


def _load(name: str, maker: str) -> tuple[Format, bytes]:
    module = "gitobjects" if name.startswith("git") else name
    path = Path(__file__).with_name(f"test_{module}.py")
    spec = importlib.util.spec_from_file_location(f"sample_{module}", path)
    assert spec is not None
    assert spec.loader is not None
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    forms = getattr(tests, "FORMATS", None) or (tests.FORMAT,)
    return next(form for form in forms if form.name == name), getattr(tests, maker)()


SAMPLES = {name: _load(name, maker) for name, maker in MAKERS.items()}


def verdict(form: Format, data: bytes) -> Verdict:
    """As `vigie.judge` would, for a file whose name carries an ending of the format, if it has any."""
    randomness = Randomness(Bytes(data))
    known = form.recognises(data[:HEAD])
    named = bool(form.suffixes or form.weak_suffixes)
    if not known and not named:
        return rules.unrecognised(randomness)
    try:
        anatomy = form.dissect(Bytes(data))
    except Malformed as malformed:
        if known:
            return rules.malformed(form, malformed, randomness)
        if form.suffixes or glance(data[:HEAD]):
            return rules.not_as_named(form, malformed, randomness)
        return rules.not_as_hinted(form, malformed, randomness)
    return rules.healthy_or_struck(anatomy, randomness, recognised=known)


def struck(data: bytes, on: int, off: int, start: int = 0, end: int | None = None) -> bytes:
    dice = random.Random(77)
    result = bytearray(data)
    for place in range(start, min(end or len(data), len(data)), on + off):
        stop = min(place + on, end or len(data), len(data))
        result[place:stop] = dice.randbytes(stop - place)
    return bytes(result)


@pytest.mark.parametrize("name", SAMPLES)
def test_healthy_files_are_intact_and_nobody_elses(name: str) -> None:
    form, data = SAMPLES[name]
    assert verdict(form, data).state is State.INTACT
    assert [other for other, (one, _) in SAMPLES.items() if one.recognises(data[:HEAD])] == [name]


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(("on", "off", "end"), [(1 << 30, 0, None), (4096, 0, 4096), (64, 128, None)])
def test_overwritten_from_the_start(name: str, on: int, off: int, end: int | None) -> None:
    form, data = SAMPLES[name]
    found = verdict(form, struck(data, on, off, 0, end))
    # Where no ending belongs to the format, nothing is left that says what the file was.
    expected = State.ENCRYPTED if form.suffixes or form.weak_suffixes else State.UNKNOWN
    assert found.state is expected, found


@pytest.mark.parametrize("name", SAMPLES)
def test_one_block_in_the_middle(name: str) -> None:
    form, data = SAMPLES[name]
    middle = len(data) // 2
    found = verdict(form, struck(data, 4096, 0, middle, middle + 4096))
    if name not in OPAQUE_INSIDE:
        assert found.state is State.ENCRYPTED, found
        assert all(start < middle + 4096 + 16384 for start, _ in found.ranges)
    else:
        assert found.state in (State.INTACT, State.ENCRYPTED, State.DAMAGED)


@pytest.mark.parametrize("name", ["pyc", "mo", "jmod", "gitpack", "gitobject"])
def test_small_steps_behind_a_spared_head(name: str) -> None:
    form, data = SAMPLES[name]
    for on, off in ((64, 128), (16, 16)):
        found = verdict(form, struck(data, on, off, 1024))
        assert found.state in (State.ENCRYPTED, State.DAMAGED), (on, off, found)


@pytest.mark.parametrize("name", ["elf", "mo"])
def test_strings_of_a_program_tell(name: str) -> None:
    form, data = SAMPLES[name]
    found = verdict(form, struck(data, 1 << 30, 0, len(data) // 2))
    assert found.state is State.ENCRYPTED, found


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_anywhere(name: str) -> None:
    form, data = SAMPLES[name]
    dice = random.Random(5)
    for length in {0, 1, 7, 27, 63, *(dice.randrange(len(data)) for _ in range(40)), len(data) - 1}:
        _bounded(form, data[:length])
        assert verdict(form, data[:length]).state is not State.ENCRYPTED


def _bounded(form: Format, data: bytes, effort: int = 1 << 28) -> None:
    """Only `Malformed` is raised; what is said lies in the file, in order."""
    try:
        anatomy = form.dissect(Bytes(data), effort)
    except Malformed as malformed:
        anatomy = Anatomy(form.name, (), (Flaw(malformed.offset, malformed.offset, malformed.what),))
    begin = 0
    for region in anatomy.regions:
        assert begin <= region.start <= region.end <= len(data)
        assert region.kind in Kind
        begin = region.end
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
    assert len(anatomy.regions) <= 4100
    assert len(anatomy.flaws) <= 1030


@dataclass(frozen=True, slots=True)
class Vast:
    """A healthy head, then 20 GiB of the same block again and again: nobody can read it all."""

    head: bytes
    block: bytes
    size: int = 20 << 30

    def at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        assert length <= 64 << 20, "bounded slices"
        turn = offset % len(self.block)
        data = (self.block * ((turn + length) // len(self.block) + 1))[turn : turn + length]
        return self.head[offset : offset + length] + data[max(0, min(length, len(self.head) - offset)) :]


@pytest.mark.parametrize("block", [bytes(4096), b"\x7f" * 4096, b"\0\1" * 2048, b"x\x9c\x63\0" * 1024])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_vast_file_is_looked_at_in_a_hurry(name: str, block: bytes) -> None:
    form, data = SAMPLES[name]
    begun = time.monotonic()
    for head in (data, data[:100], data[:40]):
        with contextlib.suppress(Malformed):
            form.dissect(Vast(head, block), 4 << 20)
    assert time.monotonic() - begun < 3


@given(st.sampled_from(sorted(SAMPLES)), st.binary(max_size=600), st.integers(0, 40), st.integers(0, 1 << 12))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_behind_a_true_head(name: str, noise: bytes, keep: int, effort: int) -> None:
    form, data = SAMPLES[name]
    _bounded(form, data[:keep] + noise, effort)
    assert form.recognises(noise) in (True, False)


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12)), min_size=1, max_size=8),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_mutated_healthy_files(name: str, changes: list[tuple[float, bytes]], early: bool) -> None:
    form, data = SAMPLES[name]
    mutated = bytearray(data)
    for share, noise in changes:
        place = int(share * (min(len(data), 200) if early else len(data)))
        mutated[place : place + len(noise)] = noise
    _bounded(form, bytes(mutated))
