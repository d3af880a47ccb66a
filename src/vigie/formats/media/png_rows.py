"""The filter type that leads every row of a PNG image (section 9): between which places rows lead with none.

Random bytes in deflate data inflate to rubbish for up to 70 KB before zlib notices; often it never does. But
rubbish is as good as never as long as what stood there, and where rows are out of step by a byte, few begin
with 0 to 4. So rows counted from the start tell the first byte that was hit, and rows counted from the end of
the image the last one, to a few rows.
"""

import zlib
from collections.abc import Iterator

import numpy as np

from vigie.formats.contract import Effort
from vigie.model import Blob

STEP = 512
"""Bytes of the stream inflated at a time: places are told to that."""
MOST = 4
"""The highest filter type (9.1)."""
_PRODUCE = 1024 * 1024
_WINDOW = 128 * STEP


def bad_rows(stream: Blob, pitch: int, effort: Effort) -> tuple[int, int] | None:
    """Where in a raw deflate stream rows begin to lead with no filter type, and where they are good again.

    `pitch` is the bytes of a row with its filter type. The second place is the end of the stream where that
    cannot be inflated to its end. Nothing if all rows are good, or the effort does not reach.

    Raises:
        Unreadable: the blob cannot be read.
    """
    made, sound, first = 0, 0, -1
    for place, out in (steps := _Steps(stream, effort)):
        types = np.frombuffer(out, np.uint8)[-made % pitch :: pitch]
        if types.size:
            if types.max() > MOST:
                first = sound
                break
            sound = place
        made += len(out)
    if first < 0:
        return None
    rest = [(place, out), *steps]
    if not steps.ended:
        return first, stream.size
    made = 0
    for later, out in reversed(rest):
        types = np.frombuffer(out, np.uint8)[(len(out) + made) % pitch :: pitch]
        if types.size and types.max() > MOST:
            return first, min(stream.size, later + STEP)
        made += len(out)
    return first, min(stream.size, place + STEP)


class _Steps:
    """What each `STEP` bytes of a stream inflate to, with their places; bounded by the effort."""

    def __init__(self, stream: Blob, effort: Effort) -> None:
        self.ended = False
        """Whether the stream came to its end."""
        self._steps = self._inflated(stream, effort)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self._steps

    def _inflated(self, stream: Blob, effort: Effort) -> Iterator[tuple[int, bytes]]:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        for base in range(0, stream.size, _WINDOW):
            window = stream.at(base, _WINDOW)
            for place in range(0, len(window), STEP):
                feed = window[place : place + STEP]
                while feed:
                    try:
                        out = engine.decompress(feed, _PRODUCE)
                    except zlib.error:
                        return
                    feed = engine.unconsumed_tail
                    effort.spend(len(out))
                    if effort.left <= 0:
                        return
                    yield base + place, out
                    if engine.eof:
                        self.ended = True
                        return
