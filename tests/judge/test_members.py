import io
import random
import tarfile
import zipfile

import pytest

from vigie.formats.contract import Bytes
from vigie.judge import judge
from vigie.judge.members import Part
from vigie.model import State

DICE = random.Random(5)
TEXT = "Compte rendu : évolution favorable, glycémie 5,4 mmol/l.\r\n".encode() * 800


def tar(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as into:
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            into.addfile(header, io.BytesIO(data))
    return out.getvalue()


def stored(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as into:
        for name, data in members:
            into.writestr(name, data)
    return out.getvalue()


def struck(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + DICE.randbytes(length) + data[start + length :]


@pytest.mark.parametrize("make", [tar, stored])
def test_a_struck_member_is_found_where_it_is(make: object) -> None:
    assert callable(make)
    data = make(("a.txt", TEXT), ("b.csv", TEXT), ("c.bin", DICE.randbytes(9000)))
    name = "lot.tar" if make is tar else "lot.zip"
    assert judge(Bytes(data), name).state is State.INTACT
    place = data.index(TEXT, 40_000) + 20_000
    verdict = judge(Bytes(struck(data, place, 4096)), name)
    assert verdict.state is State.ENCRYPTED
    assert any(abs(hit.start - place) <= 64 and abs(hit.end - place - 4096) <= 64 for hit in verdict.ranges)


def test_an_encrypted_member_is_no_attack_if_its_name_promises_nothing() -> None:
    assert judge(Bytes(tar(("secret.bin", DICE.randbytes(20_000)))), "lot.tar").state is State.INTACT
    assert judge(Bytes(tar(("lettre.docx", DICE.randbytes(20_000)))), "lot.tar").state is State.ENCRYPTED


def test_archives_in_archives_stay_closed() -> None:
    inner = tar(("a.txt", TEXT))
    hit = struck(inner, 20_000, 4096)
    assert judge(Bytes(tar(("lot.tar", inner))), "lots.tar").state is State.INTACT
    assert judge(Bytes(tar(("lot.tar", hit))), "lots.tar").state is State.INTACT


def test_a_part_ends_where_it_ends() -> None:
    part = Part(Bytes(b"0123456789"), 2, 5)
    assert part.at(0, 100) == b"23456"
    assert part.at(4, 3) == b"6"
    assert part.at(5, 3) == b""
    assert part.at(9, 3) == b""


def test_thousands_of_members_stay_bounded() -> None:
    data = tar(*[(f"{n}.txt", b"Bonjour, tout va bien.\n" * 9) for n in range(3000)])
    assert judge(Bytes(data), "lot.tar").state is State.INTACT
