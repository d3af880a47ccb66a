"""Files whose name is the SHA-256 of what they hold: the packs, indexes and snapshots of a restic repository.

They are encrypted to the last byte, so nothing else can be told of them; and nothing else needs to be.
"""

import hashlib

from vigie.formats.archive.restic import content_address, is_config
from vigie.judge.randomness import Randomness
from vigie.model import Basis, Pattern, Range, State, Verdict

REACH = 256 * 1024 * 1024
"""Bytes that are hashed in a hurried look; packs have 16 MiB, 128 at most."""
FORMAT = "restic"
_SLICE = 1024 * 1024
_PACK_HEADER = 37
"""Bytes of the smallest header entry of a pack (restic, "Pack Format"), with what encryption adds."""


def by_address(name: str, randomness: Randomness, *, full: bool) -> Verdict | None:
    """The verdict on a file of a restic repository; None on any other.

    Raises:
        Unreadable: as the blob does.
    """
    address = content_address(name)
    size = randomness.size
    if address is None:
        if is_config(name, size) and randomness.share > 0.9:
            said = "may be the encrypted configuration of a restic repository; its name does not tell"
            return Verdict(State.UNKNOWN, None, None, (), Basis.STATISTICS, 0.5, (said,))
        return None
    if size > REACH and not full:
        said = f"named as a file of a restic repository; more than {REACH:,} bytes: not hashed"
        return Verdict(State.UNKNOWN, FORMAT, None, (), Basis.STATISTICS, 0.5, (said,))
    digest = hashlib.sha256()
    for at in range(0, size, _SLICE):
        digest.update(randomness.blob.at(at, _SLICE))
    if digest.hexdigest() == address:
        said = f"its name is the SHA-256 of its {size:,} bytes"
        return Verdict(State.INTACT, FORMAT, None, (), Basis.CHECKSUM, 1.0, (said,))
    said = "its name is the SHA-256 of something else"
    tail = randomness.fine_share(max(0, size - 16), size) > 0  # or something was put behind it
    if "/data/" in name and tail and not _ends_as_pack(randomness) and randomness.uniform(0, size):
        words = "its last bytes are no length of a pack's header, and all of it is random: overwritten"
        ranges = (Range(0, size),)
        return Verdict(
            State.ENCRYPTED, FORMAT, Pattern.FULL, ranges, Basis.CHECKSUM, 0.8, (f"{said}; {words}",)
        )
    return Verdict(State.DAMAGED, FORMAT, None, (Range(0, size),), Basis.CHECKSUM, 0.9, (said,))


def _ends_as_pack(randomness: Randomness) -> bool:
    """Whether the last four bytes are the length of a header that fits: of random ones, one in thousands."""
    length = int.from_bytes(randomness.blob.at(max(0, randomness.size - 4), 4), "little")
    return _PACK_HEADER <= length <= randomness.size - 4
