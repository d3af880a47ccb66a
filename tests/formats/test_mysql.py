"""The small files of MySQL and MariaDB, and the redo log."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import mysql

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_the_blocks_of_a_redo_log_are_sealed() -> None:
    data = made.redo()
    anatomy = mysql.dissect_redo(Bytes(data))
    assert (anatomy.flaws, anatomy.checked) == ((), 199 * 512)
    hit = data[:40960] + random.Random(1).randbytes(4096) + data[45056:]
    flaws = mysql.dissect_redo(Bytes(hit)).flaws
    assert (flaws[0].start, flaws[-1].end) == (40960, 45056)


def test_logs_without_blocks_are_opaque() -> None:
    data = made.redo()
    physical = b"Phys" + data[4:16] + b"MariaDB 11.4".ljust(32, b"\0") + random.Random(1).randbytes(20_000)
    anatomy = mysql.dissect_redo(Bytes(physical))
    assert (anatomy.flaws, anatomy.notes) == ((), ("no checksums that are known",))
    assert mysql._redo(data[:16] + bytes(8) + data[24:512]) is False
    with pytest.raises(Malformed):
        mysql.dissect_redo(Bytes(b"\1" + data[1:]))


@pytest.mark.parametrize("name", ["mysql-frm", "myisam", "aria"])
def test_headers_alone_are_known(name: str) -> None:
    (form,) = [form for form in mysql.FORMATS if form.name == name]
    data = made.MADE[name]()
    assert form.dissect(Bytes(data)).regions[0].end == 64
    with pytest.raises(Malformed):
        form.dissect(Bytes(data[1:]))
