"""Delimited text."""

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office.csv import FORMAT
from vigie.model import Charset, Kind


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        ("nom;né le;ville\nDupré;01/02/1960;Orléans\n" * 300, ()),
        ("nom\tville\nDupré\tOrléans\n", ()),
        ("Export du 12/03\nnom;ville\nDupré;Orléans\n", ("lines of unequal numbers of columns",)),
        ("a\nb\nc\n", ("a single column",)),
    ],
)
@pytest.mark.parametrize(("encoding", "charset"), [("utf-8-sig", Charset.UTF8), ("utf-16", Charset.UTF16)])
def test_healthy_tables(data: str, notes: tuple[str, ...], encoding: str, charset: Charset) -> None:
    anatomy = FORMAT.dissect(Bytes(data.encode(encoding)))
    assert anatomy.format == "csv"
    assert anatomy.flaws == ()
    assert anatomy.notes == notes
    assert [(r.kind, r.charset) for r in anatomy.regions] == [(Kind.STRUCTURED, charset)]


def test_known_by_name_only() -> None:
    assert not FORMAT.recognises(b"a;b\nc;d\n")
    assert FORMAT.suffixes == ("csv", "tsv")


def test_damage_is_a_flaw_and_a_broken_start_malformed() -> None:
    data = b"1;2;3\n" * 1000
    assert FORMAT.dissect(Bytes(data[:3000] + bytes(64) + data)).flaws[0].start == 3000
    assert FORMAT.dissect(Bytes(b"\1" * 64 + data)).flaws[0].start == 0
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(b"\1" * 4096 + data))


def test_a_table_without_lines() -> None:
    assert FORMAT.dissect(Bytes(b"\n\n")).notes == ()
