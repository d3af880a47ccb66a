"""Whether the machine slept: another system, or other machines, may have written to its disks meanwhile."""

import time

_LEAST_NS = 10**9


class Suspends:
    """Compares two clocks (clock_gettime(2)): CLOCK_BOOTTIME goes on while the machine is suspended."""

    def __init__(self) -> None:
        self._ahead = _ahead_ns()

    def happened(self) -> bool:
        """Whether it was suspended, for a second at least, since the last call that said so."""
        ahead = _ahead_ns()
        if ahead - self._ahead < _LEAST_NS:
            return False
        self._ahead = ahead
        return True


def _ahead_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
