"""What a snapshot is called where there is little room."""

import re

from vigie.model import Snapshot

LONGEST = 36
"""Characters of a name: `autosnap_2026-11-03_08:00:01_daily` has 34."""
_DIGEST = re.compile("[0-9a-f]{40,}")


def short(snapshot: Snapshot) -> str:
    """Eight digits of an id that is a digest, as restic and borg show it; of a name, what there is room for.

    The name of a dated folder tells by its end what it has in common with others at its beginning.
    """
    name = snapshot.id
    if _DIGEST.fullmatch(name):
        return name[:8]
    if len(name) <= LONGEST:
        return name
    end = LONGEST * 2 // 3
    return f"{name[: LONGEST - end - 1]}…{name[-end:]}"
