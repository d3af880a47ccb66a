"""What the bytes of a text are, counted in one pass (compiled): several gigabytes a second."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled

TOLERATED = b"\x08\x1a\x1c\x1d\x1e\x1f"
"""Backspace, DOS end of file, MLLP and separators: rare in a text, but possible."""
BAD = bytes(c for c in (*range(0x20), 0x7F) if c not in b"\t\n\v\f\r\x1b" + TOLERATED)
"""What no text holds in any character set whose characters are bytes."""

_LANE = 128
"""Bytes counted together: few enough for a count of one byte."""


def tally(data: bytes) -> tuple[int, int, int]:
    """How many bytes of `data` are `BAD`, are `TOLERATED`, and have their top bit set."""
    bad, tolerated, high = _tally(np.frombuffer(data, np.uint8))
    return bad, tolerated, high


def warm() -> None:
    """Compile the loop, or load it from where it is kept, before the first file and confinement."""
    tally(b"\n")


@compiled
def _tally(data: NDArray[np.uint8]) -> Any:
    # Loops of a fixed length over bytes alone: the compiler makes vectors of them.
    bad = tolerated = high = 0
    lanes = data.size // _LANE
    for lane in range(lanes):
        few_bad: Any = np.uint8(0)
        few_tolerated: Any = np.uint8(0)
        few_high: Any = np.uint8(0)
        for i in range(lane * _LANE, lane * _LANE + _LANE):
            value = data[i]
            few_high += value >> 7
            few_bad += np.uint8((value < 0x08) | ((value >= 0x0E) & (value < 0x1A)) | (value == 0x7F))
            few_tolerated += np.uint8((value == 0x08) | ((value >= 0x1A) & (value < 0x20) & (value != 0x1B)))
        bad += int(few_bad)
        tolerated += int(few_tolerated)
        high += int(few_high)
    for i in range(lanes * _LANE, data.size):
        value = data[i]
        high += int(value >> 7)
        bad += int((value < 0x08) | ((value >= 0x0E) & (value < 0x1A)) | (value == 0x7F))
        tolerated += int((value == 0x08) | ((value >= 0x1A) & (value < 0x20) & (value != 0x1B)))
    return bad, tolerated, high
