"""The small files of MySQL and MariaDB: table definitions, MyISAM and Aria indexes, and the redo log.

By hand. The redo log's blocks carry checksums; of the others the headers are known, and the rest is opaque.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Dissect, Format, Malformed
from vigie.formats.data import crc32c, pages
from vigie.formats.data.pages import BODY, Marks, Pages, column
from vigie.model import Anatomy, Blob, Kind, Region

_BLOCK = 512
_LOG_HEADER = 2048
"""Header and checkpoints: the first blocks of a redo log, before its records (log0log.h)."""
_PHYSICAL = b"Phys"
"""MariaDB 10.8 and later: a log without blocks."""


def _definition(head: bytes) -> bool:
    """FE 01, a version, a storage engine, one name's length of 1, and the place of the keys (unireg.cc)."""
    known = len(head) >= 64 and head[:2] == b"\xfe\x01" and 6 <= head[2] <= 13 and head[3] <= 50
    return known and head[4:6] in (b"\1\0", b"\3\0") and head[6:8] == b"\0\x10"


def _myisam(head: bytes) -> bool:
    """FE FE 07 and a version; options; lengths of the header (myisamdef.h, MI_STATE_INFO)."""
    return _indexed(head, 7)


def _aria(head: bytes) -> bool:
    """FE FE 09 and a version, and the same (maria_def.h)."""
    return _indexed(head, 9)


def _indexed(head: bytes, kind: int) -> bool:
    length = int.from_bytes(head[6:8], "big")
    state = int.from_bytes(head[8:10], "big")
    return head[:3] == bytes((0xFE, 0xFE, kind)) and head[3:4] <= b"\3" and 64 <= state <= length <= 32768


def _redo(head: bytes) -> bool:
    """A format number, and who made it in words, with a checksum at the end of the block."""
    if len(head) < _BLOCK or not (head[:4] == _PHYSICAL or head[:3] == bytes(3)):
        return False
    made = head[16:22] in (b"MySQL ", b"MariaD", b"Percon", b"MEB 8.", b"Backup")
    return made or bool(_sealed(_rows(head[:_BLOCK]))[0])


def _rows(data: bytes) -> Pages:
    return np.frombuffer(data, np.uint8).reshape(-1, _BLOCK)


def _sealed(rows: Pages) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = crc32c.rows(rows[:, :508]) == column(rows, 508, ">u4")
    return found & rows[:, :508].any(axis=1)


def dissect_redo(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The blocks of a redo log, if checksums are on: those of most of the first ones hold.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _LOG_HEADER + 64 * _BLOCK)
    if not _redo(head):
        raise Malformed(0, "no header of a redo log")
    header = Region(0, 48, Kind.STRUCTURED, "header")
    sample = _rows(head[_LOG_HEADER : len(head) // _BLOCK * _BLOCK])
    sample = sample[sample.any(axis=1)]
    if head[:4] == _PHYSICAL or int(_sealed(sample).sum()) * 2 <= len(sample):
        return Anatomy("innodb-log", (header,), (), 0, ("no checksums that are known",))
    checked = 0

    def check(rows: Pages, _: int) -> Marks:
        nonlocal checked
        holds = _sealed(rows)
        checked += int(holds.sum()) * _BLOCK
        return np.where(holds, 0, BODY).astype(np.uint8)

    found = pages.survey(blob, _BLOCK, check, effort, _LOG_HEADER)
    flaws = tuple(found.flaws("", "the checksum of a block does not match"))
    return Anatomy("innodb-log", (header,), flaws, checked, found.notes())


def _headed(name: str, title: str, recognises: Callable[[bytes], bool], length: int) -> Dissect:
    def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        if not recognises(blob.at(0, 4096)):
            raise Malformed(0, f"no header of a {title}")
        return Anatomy(name, (Region(0, min(length, blob.size), Kind.STRUCTURED, "header"),))

    return dissect


def _format(name: str, title: str, where: str, recognises: Callable[[bytes], bool], suffix: str) -> Format:
    # Weak: forms of Visual Basic are called .frm, and views of MySQL are text.
    dissect = _headed(name, title, recognises, 64)
    return Format(name, title, where, (), recognises, dissect, weak_suffixes=(suffix,))


FORMATS = (
    _format("mysql-frm", "MySQL table definition", "MySQL 5.7 unireg.cc", _definition, "frm"),
    _format("myisam", "MyISAM index", "MySQL myisamdef.h", _myisam, "myi"),
    _format("aria", "Aria index", "MariaDB maria_def.h", _aria, "mai"),
    Format(
        name="innodb-log",
        title="InnoDB redo log",
        specification="MySQL log0log.h, log0recv.cc",
        suffixes=(),
        recognises=_redo,
        dissect=dissect_redo,
    ),
)
