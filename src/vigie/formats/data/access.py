"""Microsoft Access databases (Jet 3 and 4, ACE): every page by itself. By hand, with numpy.

Access does not clear pages before it writes them, so nothing is said of their bodies.
"""

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_NAMES = (b"Standard Jet DB\0", b"Standard ACE DB\0")
_KEY = b"\xc7\xda\x39\x6b"
"""What the header is masked with, from byte 24 on (mdbtools HACKING, "Database Definition Page")."""
_MASKED = 24
_TYPES = 5
_NOTE = "encrypted by a password: its pages cannot be told"


def recognises(head: bytes) -> bool:
    """The first page: 00 01 00 00 and a name."""
    return head[:4] == b"\0\1\0\0" and head[4:20] in _NAMES and head[20:21] <= b"\x0f" and len(head) > 128


def _mask(length: int) -> bytes:
    """The constant that hides the header: RC4 under a key that everybody knows."""
    state = list(range(256))
    swap = 0
    for index in range(256):
        swap = (swap + state[index] + _KEY[index % len(_KEY)]) % 256
        state[index], state[swap] = state[swap], state[index]
    swap, stream = 0, bytearray()
    for index in range(1, length + 1):
        swap = (swap + state[index]) % 256
        state[index], state[swap] = state[swap], state[index]
        stream.append(state[(state[index] + state[swap]) % 256])
    return bytes(stream)


_HIDDEN = slice(0x3E, 0x42)
"""The key that pages are encrypted with: zero, unless somebody asked for it."""
_NO_KEY = _mask(_HIDDEN.stop - _MASKED)[_HIDDEN.start - _MASKED :]


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The pages: their types, and what must follow each of them.

    Raises:
        Malformed: the first page is none.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    if not recognises(head):
        raise Malformed(0, "no Access database header")
    size = 2048 if head[20] == 0 else 4096
    header = Region(0, _MASKED, Kind.STRUCTURED, "header")
    if head[_HIDDEN] != _NO_KEY:
        return Anatomy("access", (header,), (), 0, (_NOTE,))

    def check(rows: Pages, first: int) -> Marks:
        # Tables, indexes and maps say 1 in the second byte; a page that was never used may say 0.
        good = (rows[:, 0] <= _TYPES) & (rows[:, 1] <= 1)
        data = good & (rows[:, 0] == 1)
        # A data page counts its rows: two bytes each, behind a header of 10 or 14 (Jet 3, Jet 4).
        counted = column(rows, 8 if size == 2048 else 12, "<u2") & 0x3FFF
        good &= ~data | (counted * 2 + 14 <= size)
        if not first:
            good[0] = True
        return np.where(good, 0, HEADER).astype(np.uint8)

    found = pages.survey(blob, size, check, effort)
    flaws = list(found.flaws("no page type", ""))
    if blob.size % size:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a page"))
    return Anatomy("access", (header, *found.regions(0, "")), tuple(flaws), 0, found.notes())


FORMAT = Format(
    name="access",
    title="Microsoft Access database",
    specification="mdbtools HACKING; Jackcess JetFormat",
    suffixes=("mdb", "accdb", "mde", "accde"),
    recognises=recognises,
    dissect=dissect,
)
