"""Microsoft SQL Server: pages in use, pages that are not, and logs."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import sqlserver

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


PAGE = sqlserver.PAGE


def test_pages_that_nobody_uses_may_hold_anything() -> None:
    data = made.sqlserver()
    assert sqlserver.dissect(Bytes(data)).flaws == ()
    # Without the map of free space, nothing is known to be free.
    lost = data[:PAGE] + random.Random(1).randbytes(PAGE) + data[2 * PAGE :]
    assert [f.start // PAGE for f in sqlserver.dissect(Bytes(lost)).flaws] == [1, 1, 22, 22, 23, 23]


def test_a_page_of_another_place_is_none() -> None:
    data = made.sqlserver()
    swapped = data[: 6 * PAGE] + data[7 * PAGE : 8 * PAGE] + data[7 * PAGE :]
    assert sqlserver.dissect(Bytes(swapped)).flaws[0].start == 6 * PAGE


def test_logs_are_opaque_and_cut_files_broken() -> None:
    anatomy = sqlserver.dissect(Bytes(made.sqlserver(log=True)))
    assert anatomy.flaws == ()
    assert "log" in anatomy.notes[0]
    assert sqlserver.dissect(Bytes(made.sqlserver()[:-1])).flaws[-1].start == 24 * PAGE - 1
    with pytest.raises(Malformed):
        sqlserver.dissect(Bytes(made.sqlserver()[PAGE:]))
