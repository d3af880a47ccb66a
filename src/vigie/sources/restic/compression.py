"""Decompression that cannot be made to take more memory than agreed."""

import threading

import zstandard

from vigie.errors import Unreadable

_MAX_WINDOW = 128 * 1024 * 1024
"""Bytes zstd may look back, and so keep."""


class _Kept(threading.local):
    """One for each thread: to make one costs as much as to unpack a small file."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)


_kept = _Kept()


def decompress(data: bytes, most: int, *, exactly: bool = False) -> bytes:
    """One zstd frame (RFC 8878) that holds at most `most` bytes, or exactly as many.

    Raises:
        Unreadable: it is none, or holds something else.
    """
    try:
        # The frame's own word is checked first: the library would reserve what it says.
        if zstandard.frame_content_size(data) > most:
            raise Unreadable("it unpacks to more than it should")
        plain = _kept.decompressor.decompress(data, max_output_size=most)
    except zstandard.ZstdError as error:
        raise Unreadable("it cannot be unpacked") from error
    if exactly and len(plain) != most:
        raise Unreadable("it does not unpack to its length")
    return plain
