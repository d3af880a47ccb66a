"""How fast the source may be read: a token bucket, so that a restore leaves the line to the living."""

import time
from collections.abc import Callable

BURST = 0.5
"""Seconds' worth of bytes that may be read at once after a pause."""


class Pace:
    """Bytes a second, on average over any second or so; no limit where `rate` is 0."""

    def __init__(
        self,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._wait = wait
        self._credit = rate * BURST
        self._since = clock()

    def spend(self, size: int) -> None:
        """Wait until so many bytes that were just read are paid for."""
        if not self._rate:
            return
        now = self._clock()
        earned = max(0.0, now - self._since) * self._rate
        self._credit = min(self._credit + earned, self._rate * BURST) - size
        self._since = now
        if self._credit < 0:
            self._wait(-self._credit / self._rate)
