"""dBase tables: records, odd headers, and what is said of their numbers."""

import importlib.util
import struct
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import dbase

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_only_numbers_and_marks_are_tested() -> None:
    data = bytearray(made.dbase())
    first = int.from_bytes(data[8:10], "little")
    size = int.from_bytes(data[10:12], "little")
    data[first + 5 : first + 30] = bytes(range(130, 155))  # a name may be anything
    assert dbase.dissect(Bytes(bytes(data))).flaws == ()
    data[first + 3 * size] = 0x99  # no mark
    data[first + 7 * size + 45] = 0x99  # no date
    flaws = dbase.dissect(Bytes(bytes(data))).flaws
    assert [flaw.start for flaw in flaws] == [first + 3 * size, first + 7 * size]


def test_records_that_are_missing_and_bytes_behind_the_last() -> None:
    data = made.dbase()
    assert "900 records announced" in dbase.dissect(Bytes(data[: len(data) // 2])).flaws[-1].what
    longer = dbase.dissect(Bytes(data + bytes(9000)))
    assert longer.flaws == ()
    assert "behind the last record" in longer.notes[0]
    assert dbase.dissect(Bytes(data[:-1])).flaws == ()


def test_a_field_that_cannot_be_is_malformed() -> None:
    data = bytearray(made.dbase())
    data[32 + 32 + 11] = 0x01
    with pytest.raises(Malformed):
        dbase.dissect(Bytes(bytes(data)))
    with pytest.raises(Malformed):
        dbase.dissect(Bytes(b"\3" + bytes(100)))


def test_version_7_and_binary_fields() -> None:
    name = b"PATIENT".ljust(32, b"\0") + b"C" + bytes([20, 0]) + bytes(13)
    head = struct.pack("<BBBBLHH", 4, 126, 3, 12, 20, 68 + 48 + 1, 21).ljust(68, b"\0") + name + b"\r"
    assert dbase.FORMAT.recognises(head)
    assert dbase.dissect(Bytes(head + (b" " + b"x" * 20) * 20)).flaws == ()
    data = bytearray(made.dbase())
    data[32 + 32 * 2 + 18] = 4  # the amounts are binary
    data[32 + 32 * 3 + 11] = ord("M")
    first = int.from_bytes(data[8:10], "little")
    data[first + 1 + 48] = 0x99
    assert dbase.dissect(Bytes(bytes(data))).flaws == ()
