"""A day on the share: what people and programs do there, most of it in the folders of the day.

Shares are of all files, a day: 0.4 % new, 0.3 % edited, 0.1 % renamed, 0.1 % deleted, 0.05 % of native DICOM
transcoded in place, 0.005 % ZIPs with a password. Once each: a photo folder is renamed in bulk, an archive
folder is deflated file by file, and the databases are compacted (VACUUM).
"""

import gzip
import os
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from ledger import Document
from share import Share
from stock import Kind, Stock, transcoded

FIRST = datetime(2026, 9, 25, 22, 0, tzinfo=UTC)
"""Time of the first backup; one follows each evening."""
MONTHS = 24
"""How far back the files go on the first evening."""
WARDS = (
    "Cardiologie", "Urgences", "Pédiatrie", "Chirurgie", "Gériatrie", "Neurologie", "Oncologie",
    "Réanimation", "Maternité", "Pneumologie", "Néphrologie", "Orthopédie", "Urologie", "Psychiatrie",
    "Dermatologie", "Ophtalmologie", "Rhumatologie", "Hématologie", "Infectiologie", "Rééducation",
)  # fmt: skip
WARD = 50_000
"""Files of a ward: so that a folder holds some 400 of them, however large the hospital is."""
RECENT = 0.8
"""Share of changes that fall on files of the last month."""
SECOND = 10**9


def evening(snapshot: int) -> datetime:
    """When backup number `snapshot` is made."""
    return FIRST + timedelta(days=snapshot)


def hour(day: datetime, dice: Random, first: float, last: float) -> int:
    """An instant of that day between two hours, nanoseconds since 1970."""
    midnight = day.replace(hour=0, minute=0)
    return int((midnight.timestamp() + 3600 * dice.uniform(first, last)) * 1000) * (SECOND // 1000)


def fill(share: Share, kinds: Stock, dice: Random, files: int) -> None:
    """The first evening: files of two years."""
    share.wards = WARDS[: max(1, files // WARD)]
    with share.entered():
        for kind in dice.choices(kinds.kinds, [kind.weight for kind in kinds.kinds], k=files):
            day = FIRST - timedelta(days=30.4 * MONTHS * dice.random())
            _come(share, kind, kind.make(kinds, dice), day, dice, how="first")


def live(share: Share, kinds: Stock, dice: Random, snapshots: int) -> None:
    """One day, up to the backup of its evening."""
    day = evening(share.snapshot)
    here = [d for d in share.documents if d.gone is None and d.hit is None]
    month = f"{day - timedelta(days=20):%Y-%m}"
    recent = [d for d in here if os.path.dirname(d.path)[-7:] >= month]

    def some(percent: float) -> Iterator[Document]:
        count = len(here) * percent / 100
        count = int(count) + (dice.random() < count % 1)
        for _ in range(count):
            one = dice.choice(recent if recent and dice.random() < RECENT else here)
            if id(one) not in share.touched:
                yield one

    with share.entered():
        weights = [kind.weight for kind in kinds.kinds]
        for kind in dice.choices(kinds.kinds, weights, k=round(len(here) * 0.004)):
            _come(share, kind, kind.make(kinds, dice), day, dice)
        for _ in some(0.005):
            locked = kinds.by_name["zip, password"]
            _come(share, locked, locked.make(kinds, dice), day, dice)
        for one in some(0.3):
            if one.kind in kinds.by_name:
                data = kinds.edited(kinds.by_name[one.kind], share.read(one), dice)
                share.write(one, data, hour(day, dice, 8, 18), "edited")
        for one in some(0.1):
            folder, name = os.path.split(one.path)
            share.rename(
                one, f"{folder}/{dice.choice(('vu', 'ancien', 'signé'))} {dice.getrandbits(20):05x} {name}"
            )
        for one in some(0.1):
            share.delete(one)
        native = [
            d for d in here if d.kind == "dicom, native" and id(d) not in share.touched and d.gone is None
        ]
        for one in dice.sample(native, min(len(native), round(len(here) * 0.0005))):
            share.write(one, transcoded(share.read(one), dice), hour(day, dice, 12, 14), "transcoded")
            one.kind = "dicom, transcoded"
        if share.snapshot == snapshots // 4:
            _rename_photos(share, here)
        if share.snapshot == snapshots // 3:
            _deflate(share, here)
        if share.snapshot == snapshots // 2:
            _compact(share, here, hour(day, dice, 12, 14), dice)


def _come(share: Share, kind: Kind, data: bytes, day: datetime, dice: Random, how: str = "new") -> None:
    folder = f"{kind.department}/{dice.choice(share.wards)}/{day:%Y-%m}"
    path = f"{folder}/{kind.ending.upper()}{day:%d}-{dice.getrandbits(40):010x}.{kind.ending}"
    share.add(path, kind.name, data, hour(day, dice, 8, 18), how)


def _largest(here: list[Document], share: Share, *kinds: str) -> list[Document]:
    """The documents of such kinds in the folder that has most of them."""
    folders = defaultdict(list)
    for one in here:
        if one.kind in kinds and one.gone is None and id(one) not in share.touched:
            folders[os.path.dirname(one.path)].append(one)
    return max(folders.values(), key=len, default=[])


def _rename_photos(share: Share, here: list[Document]) -> None:
    """As photo programs do: all of a folder, numbered."""
    for number, one in enumerate(_largest(here, share, "jpeg", "png", "tiff")):
        folder, name = os.path.split(one.path)
        share.rename(one, f"{folder}/2026-10-10 14.05 ({number:04}){os.path.splitext(name)[1]}")


def _deflate(share: Share, here: list[Document]) -> None:
    """`gzip -r` in an archive folder: the originals go, random-looking files of longer names come."""
    for one in _largest(here, share, "text", "rtf"):
        data, path = share.read(one), one.path
        share.delete(one)
        share.add(
            f"{path}.gz", "gzip", gzip.compress(data), int(evening(share.snapshot).timestamp()) * SECOND
        )


def _compact(share: Share, here: list[Document], when: int, dice: Random) -> None:
    for one in here:
        database = one.kind in ("sqlite", "sqlite, large")
        if database and one.gone is None and id(one) not in share.touched and dice.random() < 0.5:
            share.write(one, vacuumed(share.read(one)), when, "compacted")


def vacuumed(data: bytes) -> bytes:
    """A database after a third of its rows went, and VACUUM."""
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        file.write(data)
        file.flush()
        db = sqlite3.connect(file.name, isolation_level=None)
        try:
            db.execute("DELETE FROM resultat WHERE id % 3 = 0")
            db.execute("VACUUM")
        finally:
            db.close()
        with open(file.name, "rb") as changed:
            return changed.read()
