"""The imitated attack: files of the share are overwritten with seeded noise, in the patterns of the field.

It has three parts. A slow burn: 5 to 20 files a day in place, during working hours, over some days. A first
night: one department. A second night: folder after folder until a third of all files is struck. Patterns are
those of `benchmarks/verdicts/patterns.py`: bytes in, bytes out, no cipher. It can reach nothing but documents
of a `Share`, which overwrites only what the same run wrote there.
"""

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from ledger import Document, Truth
from life import SECOND, evening, hour
from patterns import PATTERNS, seed_of
from share import Share

CHOSEN = tuple(PATTERNS[n] for n in (0, 1, 2, 4, 10))
"""The whole file, the head, 16 on and 16 off, 64 on and 128 off, five chunks."""
NOTE = "LISEZ-MOI-EXERCICE.txt"
_NOTE = (
    "Vos fichiers ont été remplacés par du hasard pour une mesure de Vigie : rien n'est chiffré, "
    "rien n'est demandé.\nBenchmark of Vigie: random bytes in invented files; nothing is asked.\n"
).encode()
WAYS = ("in place", "longer name", "random name")
BACKDATED = 0.1
"""Share of files in place whose old modification time is put back."""
SPARED = 0.03
"""Share of files passed by in a folder that is struck."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of the snapshots that see it first."""

    burn: range
    """The slow burn, day by day."""
    first: int
    second: int


def planned(snapshots: int) -> Plan:
    """The last quarter of 60: snapshots 45 to 51, then 52 and 55; of fewer, as near as it gets.

    Raises:
        ValueError: there are fewer than five.
    """
    if snapshots < 5:
        raise ValueError("an attack in three parts takes five snapshots at least")
    second = snapshots - 1 - snapshots // 15
    first = second - 1 - snapshots // 30
    return Plan(range(first - max(1, snapshots // 8), first), first, second)


def strike(share: Share, dice: Random, plan: Plan, truth: Truth) -> None:
    """What of the attack falls on the day of the next backup."""
    day = evening(share.snapshot)
    struck = 0
    with share.entered():
        if share.snapshot in plan.burn:
            here = [d for d in _standing(share) if id(d) not in share.touched]
            for one in dice.sample(here, min(len(here), dice.randint(5, 20))):
                _hit(share, one, dice, hour(day, dice, 9, 18), truth, way="in place")
                struck += 1
            truth.waves.append(("slow burn", share.snapshot, struck))
        elif share.snapshot in (plan.first, plan.second):
            night = share.snapshot == plan.first
            start = int((day - timedelta(hours=3)).timestamp()) * SECOND
            victims = _first(share, dice) if night else _second(share, dice)
            folder = ""
            for one in victims:
                if os.path.dirname(one.path) != folder:
                    folder = os.path.dirname(one.path)
                    _leave(share, folder, start, truth)
                # some 50 files a second, in the order of the folders
                _hit(share, one, dice, start + struck * SECOND // 50, truth, dice.choices(WAYS, (4, 4, 2))[0])
                struck += 1
            truth.waves.append(("first night" if night else "second night", share.snapshot, struck))


def _standing(share: Share) -> list[Document]:
    return [d for d in share.documents if d.gone is None and d.hit is None]


def _folders(share: Share, dice: Random) -> dict[str, list[Document]]:
    """What may be struck, by folder. What was renamed today is left: nobody could say under which name."""
    folders = defaultdict(list)
    for one in _standing(share):
        how = one.contents[-1].how if id(one) in share.touched else ""
        if how in ("", "edited", "new") and dice.random() >= SPARED:
            folders[os.path.dirname(one.path)].append(one)
    return folders


def _first(share: Share, dice: Random) -> list[Document]:
    """Every other folder of the letters."""
    folders = _folders(share, dice)
    chosen = sorted(folder for folder in folders if folder.startswith("Courriers/"))[::2]
    return [one for folder in chosen for one in folders[folder]]


def _second(share: Share, dice: Random) -> list[Document]:
    """Folders of all departments, in their order, until a third of the share is struck."""
    folders = _folders(share, dice)
    wanted = len(share.documents) // 3 - sum(one.hit is not None for one in share.documents)
    victims: list[Document] = []
    for folder in dice.sample(sorted(folders), len(folders)):
        if len(victims) >= wanted:
            break
        victims += folders[folder]
    return sorted(victims, key=lambda one: os.path.split(one.path))


def _hit(share: Share, one: Document, dice: Random, when: int, truth: Truth, way: str) -> None:
    old = share.read(one)
    pattern = dice.choice(CHOSEN)
    new = pattern.strike(old, seed_of(one.path, pattern.name)).data
    status = os.stat(share.folder / one.path)
    share.write(one, new, when, "hit")
    folder = os.path.dirname(one.path)
    if way == "longer name":
        share.rename(one, f"{one.path}{dice.choice(('.locked', '.id-7F3A.[aide].crypt'))}", "hit")
    elif way == "random name":
        share.rename(one, f"{folder}/{dice.getrandbits(64):016x}{dice.choice(('', '.enc'))}", "hit")
    elif dice.random() < BACKDATED:
        share.restamp(one, status.st_mtime_ns)
    one.hit, one.pattern, one.way = share.snapshot, pattern.name, way
    truth.began = min(when // SECOND, truth.began or when // SECOND)


def _leave(share: Share, folder: str, when: int, truth: Truth) -> None:
    path = f"{folder}/{NOTE}"
    if not share.taken(path):
        share.place(path, _NOTE, when)
        truth.notes.append(path)
