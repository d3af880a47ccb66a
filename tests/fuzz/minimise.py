"""Make an input small that shows a fault: leave out what can be left out, zero what can be zeroed."""

import time
from collections.abc import Callable


def minimised(data: bytes, shows: Callable[[bytes], bool], seconds: float = 20.0) -> bytes:
    """The smallest input that could be found in the time given and for which `shows` still holds.

    Pieces of half the input first, then ever smaller ones (delta debugging, Zeller and Hildebrandt 2002).
    """
    until = time.monotonic() + seconds
    piece = len(data) // 2
    while piece and time.monotonic() < until:
        data = _pass(data, shows, piece, until, lambda _: b"")
        piece //= 2
    piece = len(data) // 2
    while piece and time.monotonic() < until:
        data = _pass(data, shows, piece, until, bytes)
        piece //= 4
    return data


def _pass(
    data: bytes, shows: Callable[[bytes], bool], piece: int, until: float, instead: Callable[[int], bytes]
) -> bytes:
    at = 0
    while at < len(data) and time.monotonic() < until:
        tried = data[:at] + instead(len(data[at : at + piece])) + data[at + piece :]
        if tried != data and shows(tried):
            data = tried
            at += len(instead(piece))
        else:
            at += piece
    return data
