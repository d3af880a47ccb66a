"""No more bytes a second than are allowed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.vault.pace import BURST, Pace


class Time:
    """A clock that only waiting moves, unless it is moved."""

    now = 100.0
    waited = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.waited += seconds


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**9), st.lists(st.integers(0, 10**8), max_size=50))
def test_on_average(rate: int, sizes: list[int]) -> None:
    time = Time()
    pace = Pace(rate, lambda: time.now, time.wait)
    for size in sizes:
        pace.spend(size)
    assert time.waited >= sum(sizes) / rate - BURST - 1e-6 * len(sizes)
    assert time.waited <= sum(sizes) / rate + 1e-6


def test_without_a_limit_nothing_waits() -> None:
    time = Time()
    Pace(0, lambda: time.now, time.wait).spend(10**12)
    assert time.waited == 0


def test_a_pause_is_not_saved_up() -> None:
    time = Time()
    pace = Pace(1000, lambda: time.now, time.wait)
    time.now += 3600
    pace.spend(1500)
    assert time.waited == 1.0


def test_a_clock_that_jumps_back_does_no_harm() -> None:
    time = Time()
    pace = Pace(1000, lambda: time.now, time.wait)
    time.now -= 1000
    pace.spend(500)
    pace.spend(100)
    assert time.waited == 0.1
