"""What a snapshot is called where there is little room."""

import pytest

from vigie.model import Snapshot
from vigie.timeline.naming import LONGEST, short


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("652d19817db57636b26b96f1b13e86f44ea062d05f455b0ad8a26aa1cff24da9", "652d1981"),
        ("2026-11-03", "2026-11-03"),
        ("20261103", "20261103"),
        ("autosnap_2026-11-03_08:00:01_daily", "autosnap_2026-11-03_08:00:01_daily"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_short(name: str, expected: str) -> None:
    assert short(Snapshot(name, 0)) == expected


def test_long_names_differ_at_their_ends() -> None:
    first, second = (short(Snapshot(f"{'backup-of-the-share-' * 4}2026-11-0{n}", 0)) for n in (1, 2))
    assert first != second
    assert (first[:6], first[-10:], len(first)) == ("backup", "2026-11-01", LONGEST)
