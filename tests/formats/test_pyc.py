"""Compiled Python: every version's layout, constants that look random, and going on behind a broken place."""

import importlib.util
import marshal
import random
import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.pyc import FORMAT, dissect
from vigie.model import Kind

SOURCE = "\n".join(
    f"""
def function_{n}(patient, *, name="Éléonore {n}", values=(1.5, {n}, b"x", None, True, 2j, ..., 1 << 80)):
    '''Return what number {n} says of {n * n} patients.'''
    total = sum(value for value in values if value in {{"a", "b{n}"}})
    return [total, patient.attribute_{n}, name.upper(), {n * 1000003}, -{n}, lambda: name]
"""
    for n in range(60)
)


def compiled(source: str = SOURCE) -> bytes:
    code = compile(source, "practice/module.py", "exec")
    return (
        importlib.util.MAGIC_NUMBER + struct.pack("<3L", 0, 1_700_000_000, len(source)) + marshal.dumps(code)
    )


def healthy() -> bytes:
    return compiled()


def test_a_module_of_this_python() -> None:
    data = healthy()
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    covered = sum(region.end - region.start for region in anatomy.regions)
    assert all(region.kind is Kind.STRUCTURED for region in anatomy.regions)
    assert covered > len(data) / 3


def old(magic: int, header: int, integers: int, behind: int) -> bytes:
    """A module as another Python would have written it: a code object, its constants of every old type."""
    constants = [
        b"i\1\0\0\0", b"I" + bytes(8), b"l\xff\xff\xff\xff\1\0", b"f\0031.5", b"x\0011\0012", b"g" + bytes(8),
        b"y" + bytes(16), b"u\2\0\0\0ab", b"t\1\0\0\0a", b"R\0\0\0\0", b"{NT0", b"<\1\0\0\0N", b">\0\0\0\0",
        b"[\1\0\0\0F", b":NNN", b"Z\1a", b".", b"S",
    ]  # fmt: skip
    code = b"s\x50\0\0\0" + bytes(80)
    pool = b"(" + len(constants).to_bytes(4, "little") + b"".join(constants)
    body = b"c" + bytes(4 * integers) + code + pool + b"(\0\0\0\0" * 4 + b"s\0\0\0\0" * 2 + bytes(4)
    if behind == 2:  # 3.11: eight objects as well, and the exception table
        body += b"s\0\0\0\0"
    return magic.to_bytes(2, "little") + b"\r\n" + bytes(header - 4) + body + b"s\0\0\0\0"


@pytest.mark.parametrize(
    ("magic", "header", "integers", "behind"),
    [
        (62211, 8, 4, 1),
        (3180, 8, 5, 1),
        (3379, 12, 5, 1),
        (3394, 16, 5, 1),
        (3413, 16, 6, 1),
        (3495, 16, 5, 2),
    ],
)
def test_modules_of_other_pythons(magic: int, header: int, integers: int, behind: int) -> None:
    data = old(magic, header, integers, behind)
    assert FORMAT.recognises(data)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())


def test_tables_of_numbers_may_look_random() -> None:
    dice = random.Random(3)
    floats = ", ".join(f"({dice.random()!r}, {dice.random()!r})" for _ in range(800))
    data = compiled(f"TABLE = ({floats})\n")
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert sum(region.end - region.start for region in anatomy.regions) < len(data) / 4


def test_a_broken_place_is_one_flaw_and_the_walk_goes_on() -> None:
    data = bytearray(healthy())
    for place in (3000, 12000):
        data[place : place + 600] = random.Random(place).randbytes(600)
    anatomy = dissect(Bytes(bytes(data)))
    assert len(anatomy.flaws) >= 2
    assert sum(flaw.end - flaw.start for flaw in anatomy.flaws) < len(data) / 3
    assert any(2900 < flaw.start < 3700 for flaw in anatomy.flaws)
    assert any(11900 < flaw.start < 12700 for flaw in anatomy.flaws)


def test_what_follows_the_module_is_noted() -> None:
    data = healthy()
    assert dissect(Bytes(data + b"signature")).notes == ("9 bytes behind the module",)


@pytest.mark.parametrize("cut", [17, 40, 500, 3000, -20, -1])
def test_a_cut_module(cut: int) -> None:
    anatomy = dissect(Bytes(healthy()[:cut]))
    assert anatomy.flaws
    assert anatomy.flaws[-1].end <= len(healthy())


def test_a_long_module_is_walked_as_far_as_the_effort_goes() -> None:
    data = healthy()
    anatomy = dissect(Bytes(data), 5000)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too long to walk: untested from byte 5000",)


def module(body: bytes) -> bytes:
    return (3495).to_bytes(2, "little") + b"\r\n" + bytes(12) + body


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"(\xff\xff\xff\x7f", "a sequence of 2147483647 objects"),
        (b"{0" + b"Q", "bytes behind"),
        (b"s\xff\xff\xff\x7f", "an object longer than the file"),
        (b"l\xff\xff\xff\x80", "an object longer than the file"),
        (b"[\1\0\0\0" * 7000, "nested deeper"),
        (b"0", "object type 0x30"),
        (b")", "ends inside an object"),
        (b"z", "longer than the file"),
        (b"f", "longer than the file"),
        (b"(\1\0\0\0", "a sequence of 1 objects"),
    ],
)
def test_lies_of_marshalled_objects(body: bytes, what: str) -> None:
    anatomy = dissect(Bytes(module(body)))
    said = [flaw.what for flaw in anatomy.flaws] + list(anatomy.notes)
    assert any(what in one for one in said), said


def test_broken_in_many_places() -> None:
    code = b"\xe3" + bytes(20) + b"\xf3\x02\0\0\0ab" + b"?"
    anatomy = dissect(Bytes(module(code * 400)))
    assert len(anatomy.flaws) == 256
    null = dissect(Bytes(module(b"?" + b"\xe3" + bytes(20) + b"\xf3\0\0\0\0" + b"N" * 7 + bytes(4) + b"NN0")))
    assert [flaw.what for flaw in null.flaws] == ["object type 0x3f", "a null object"]


@pytest.mark.parametrize(
    "data", [b"", b"\xa7\r\r\n", b"\xa7\r\r\n" + bytes(12), b"\0\0\r\n" + bytes(40), b"ab" * 30]
)
def test_what_is_no_module(data: bytes) -> None:
    assert not FORMAT.recognises(data)
    with pytest.raises(Malformed):
        dissect(Bytes(data))
