"""ar archives: members, tables, thin archives, and going on behind a broken header."""

import random

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.ar import FORMAT, dissect


def member(name: bytes, content: bytes, said: int | None = None) -> bytes:
    size = b"%d" % (len(content) if said is None else said)
    head = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"100644".ljust(8) + size.ljust(10) + b"`\n"
    return head + content + b"\n" * (len(content) % 2)


def healthy() -> bytes:
    dice = random.Random(2)
    symbols = b"".join(n.to_bytes(4, "big") for n in (3, 300, 5000, 9000)) + b"one\0two\0three\0"
    data = b"!<arch>\n" + member(b"/", symbols) + member(b"//", b"a_long_name_of_a_member.o/\n" * 20)
    return data + b"".join(member(b"/%d" % (27 * n), dice.randbytes(2001)) for n in range(6))


def test_healthy_archives() -> None:
    thin = b"!<thin>\n" + member(b"//", b"a/b.o/\n") + member(b"/0", b"", 4000) + member(b"/7", b"", 99)
    for data in (healthy(), b"!<arch>\n", thin, healthy()[:-1], healthy() + b"\n"):
        assert FORMAT.recognises(data[:4096])
        assert dissect(Bytes(data)).flaws == ()
    assert [r.what for r in dissect(Bytes(healthy())).regions].count("member header") == 6


def test_a_debian_package_is_one() -> None:
    data = b"!<arch>\n" + member(b"debian-binary", b"2.0\n") + member(b"control.tar.xz", b"x" * 9)
    assert FORMAT.recognises(data)


def test_behind_a_broken_header_the_next_one_is_found() -> None:
    data = bytearray(healthy())
    start = data.index(b"/27 ")
    data[start : start + 60] = random.Random(4).randbytes(60)
    anatomy = dissect(Bytes(bytes(data)))
    assert [(flaw.start, flaw.end) for flaw in anatomy.flaws] == [(start, start + 60)]
    assert [r.what for r in anatomy.regions].count("member header") == 5
    assert anatomy.notes == ()
    last = data.index(b"/135 ")
    data[last : last + 60] = bytes(60)
    anatomy = dissect(Bytes(bytes(data)))
    assert len(anatomy.flaws) == 2
    assert anatomy.notes == (f"untested from byte {last + 60}",)


def test_cut_archives() -> None:
    data = healthy()
    assert dissect(Bytes(data[:-100])).flaws[0].what == "the file ends inside a member"
    last = data.index(b"/135 ")
    assert dissect(Bytes(data[: last + 30])).flaws[0].what == "the file ends inside a member's header"
    with pytest.raises(Malformed):
        dissect(Bytes(data[:7]))
    assert not FORMAT.recognises(b"!<arch>\n" + b"?" * 60)


def test_archives_of_very_many_members() -> None:
    anatomy = dissect(Bytes(b"!<arch>\n" + member(b"a", b"") * 70_000))
    assert anatomy.notes == ("more than 65536 members: the rest is not walked",)
    assert len(anatomy.regions) <= 4096
