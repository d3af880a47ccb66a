"""Every archive and container: believed when healthy, noticed when struck, never a crash."""

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Format, Malformed
from vigie.judge import rules
from vigie.judge.randomness import Randomness
from vigie.model import Anatomy, State

MODULES = ("tar", "cpio", "rar", "cab", "sevenzip", "iso", "disk", "named", "borg", "keepass", "luks", "lz4")


def samples() -> dict[str, tuple[Format, bytes, str | None]]:
    """What each of these test files makes."""
    found: dict[str, tuple[Format, bytes, str | None]] = {}
    for name in MODULES:
        spec = importlib.util.spec_from_file_location(
            f"of_{name}", Path(__file__).with_name(f"test_{name}.py")
        )
        assert spec is not None
        assert spec.loader is not None
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= {f"{name}-{key}": value for key, value in module.SAMPLES.items()}
    return found


SAMPLES = samples()


def strike(data: bytes, seed: int, *spans: tuple[int, int]) -> bytes:
    out = bytearray(data)
    for start, end in spans:
        out[start:end] = random.Random(seed + start).randbytes(len(out[start:end]))
    return bytes(out)


def dissected(form: Format, data: bytes, effort: int = 64 << 20) -> Anatomy | None:
    """The anatomy, its order and limits checked; nothing if it is malformed."""
    offset, anatomy = 0, None
    try:
        anatomy = form.dissect(Bytes(data), effort)
    except Malformed as broken:
        offset = broken.offset
    assert 0 <= offset <= len(data)
    if anatomy is None:
        return None
    position = 0
    for region in anatomy.regions:
        assert position <= region.start < region.end <= len(data)
        position = region.end
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
    return anatomy


def verdict(form: Format, data: bytes) -> State:
    """What the rules say of a file that its name promises to be of this format."""
    randomness = Randomness(Bytes(data))
    try:
        anatomy = form.dissect(Bytes(data))
    except Malformed as broken:
        return rules.not_as_named(form, broken, randomness).state
    return rules.healthy_or_struck(anatomy, randomness, recognised=form.recognises(data[:HEAD])).state


@pytest.mark.parametrize("name", SAMPLES)
def test_a_healthy_file_is_believed(name: str) -> None:
    form, data, suffix = SAMPLES[name]
    assert form.recognises(data[:HEAD]) or form.name in ("iso9660", "dmg")
    assert suffix is None or suffix in form.suffixes + form.weak_suffixes
    others = [one.name for one, _, _ in SAMPLES.values() if one.recognises(data[:HEAD]) and one is not form]
    assert others == []
    assert verdict(form, data) is State.INTACT


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("pattern", ["whole", "head", "64 on 128 off", "16 on 16 off"])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_struck_file_is_called_encrypted(name: str, pattern: str, seed: int) -> None:
    form, data, _ = SAMPLES[name]
    size = len(data)
    spans = {
        "whole": [(0, size)],
        "head": [(0, 4096)],
        "64 on 128 off": [(at, at + 64) for at in range(0, size, 192)],
        "16 on 16 off": [(at, at + 16) for at in range(0, size, 32)],
    }[pattern]
    hit = strike(data, seed, *spans)
    assert not form.recognises(hit[:HEAD])
    if form.name == "dmg" and pattern != "whole":
        return  # its only mark is in its last bytes, and what it holds may be anything
    if form.name == "iso9660" and pattern == "head":
        return  # the first 32 KiB of an image may hold anything: boot code, mostly
    assert verdict(form, hit) is State.ENCRYPTED


@pytest.mark.parametrize("name", SAMPLES)
def test_a_cut_file_is_survived(name: str) -> None:
    form, data, _ = SAMPLES[name]
    chooser = random.Random(1)
    for place in [*range(0, 700, 7), *(chooser.randrange(len(data)) for _ in range(60))]:
        dissected(form, data[:place])
        assert verdict(form, data[:place]) is not State.ENCRYPTED or place < 400 or form.name == "dmg"


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12)), max_size=6),
    effort=st.integers(0, 300_000),
)
def test_a_file_changed_here_and_there_is_survived(
    name: str, changes: list[tuple[float, bytes]], effort: int
) -> None:
    form, data, _ = SAMPLES[name]
    changed = bytearray(data[:20_000] + data[-2000:])
    for share, patch in changes:
        at = int(share**3 * (len(changed) - len(patch)))  # heads more often than bodies
        changed[at : at + len(patch)] = patch
    dissected(form, bytes(changed))
    dissected(form, bytes(changed), effort)


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=300), kept=st.integers(0, 64))
def test_any_bytes_are_survived(name: str, data: bytes, kept: int) -> None:
    form, sample, _ = SAMPLES[name]
    form.recognises(data)
    dissected(form, data)
    dissected(form, sample[:kept] + data)
