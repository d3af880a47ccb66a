"""Reads around what is asked for, and keeps it: a folder's tree lies beside its neighbours' in a pack.

Over a network each read costs a round trip, however small; restic writes the trees of a backup together,
children before parents, so blocks at fixed places serve a walk in any direction.
"""

import threading
from collections import OrderedDict

from vigie.sources.restic.transport import Transport

BLOCK = 1024 * 1024
"""Bytes read at once."""
_BLOCKS = 32
"""Blocks kept."""


class ReadAhead:
    """Reads packs of one transport in blocks; the least recently used is dropped first."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, pack: str, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)` of a pack; fewer where it ends before.

        Raises:
            Unreadable: as the transport says.
        """
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        if last - first > 1:
            # Large enough to be worth a round trip of its own.
            return self._transport.read("data", pack, offset, length)
        stretch = b"".join(self._block(pack, number) for number in range(first, last + 1))
        return stretch[offset - first * BLOCK :][:length]

    def _block(self, pack: str, number: int) -> bytes:
        with self._lock:
            block = self._kept.get((pack, number))
            if block is None:
                block = self._transport.read("data", pack, number * BLOCK, BLOCK)
                self._kept[pack, number] = block
                if len(self._kept) > _BLOCKS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end((pack, number))
        return block
