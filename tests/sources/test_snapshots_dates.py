"""Times in the names of snapshot folders."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vigie.sources.snapshots.dates import time_of

PARIS = timezone(timedelta(hours=1))


def at(*parts: int, zone: timezone = PARIS) -> int:
    year, month, day, hour, minute, second = (*parts, 0, 0, 0)[:6]
    return int(datetime(year, month, day, hour, minute, second, tzinfo=zone).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("zfs-auto-snap_daily-2026-11-03-0000", at(2026, 11, 3)),
        ("autosnap_2026-11-03_08:00:01_daily", at(2026, 11, 3, 8, 0, 1)),
        ("zrepl_20261103_080001_000", at(2026, 11, 3, 8, 0, 1)),
        ("home.20261103", at(2026, 11, 3)),
        ("home.20261103_1", at(2026, 11, 3)),
        ("home.20261103T0800", at(2026, 11, 3, 8)),
        ("home.20261103T080001+0200", at(2026, 11, 3, 8, 0, 1, zone=timezone(timedelta(hours=2)))),
        ("home.20261103T080001-05:30", at(2026, 11, 3, 13, 30, 1, zone=UTC)),
        ("@GMT-2026.11.03-08.00.01", at(2026, 11, 3, 8, 0, 1, zone=UTC)),
        ("2026-11-03-081244", at(2026, 11, 3, 8, 12, 44)),
        ("2026-11-03-081244.backup", at(2026, 11, 3, 8, 12, 44)),
        ("2026-11-03_08-00-01", at(2026, 11, 3, 8, 0, 1)),
        ("2026-11-03T08:12:44Z", at(2026, 11, 3, 8, 12, 44, zone=UTC)),
        ("2026-11-03 08:12:44", at(2026, 11, 3, 8, 12, 44)),
        ("20261103081244", at(2026, 11, 3, 8, 12, 44)),
        ("2026-11-03", at(2026, 11, 3)),
        ("20261103", at(2026, 11, 3)),
        ("03-11-2026", at(2026, 11, 3)),
        ("sauvegarde du 03.11.2026 08h12", at(2026, 11, 3, 8, 12)),
        ("srv2024-2026-11-03", at(2026, 11, 3)),
        ("2025-01-01 to 2026-11-03", at(2026, 11, 3)),
        ("2026-02-28 or 2026-02-30", at(2026, 2, 28)),
    ],
)
def test_names_that_tools_give(name: str, expected: int) -> None:
    assert time_of(name, PARIS) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "latest",
        "daily.0",
        "12",
        "2026-13-03",
        "2026-02-30",
        "1234-11-03",
        "2026-11-3",
        "120261103",
        "x" * 300,
    ],
)
def test_names_that_tell_no_time(name: str) -> None:
    assert time_of(name) is None


def test_the_zone_of_this_machine_is_taken_where_none_is_told() -> None:
    expected = int(datetime(2026, 7, 1, 8).astimezone().timestamp())
    assert time_of("2026-07-01T08:00") == expected * 1_000_000_000


@given(
    st.datetimes(datetime.fromisoformat("1980-01-02"), datetime.fromisoformat("2199-01-01")).map(
        lambda when: when.replace(microsecond=0)
    )
)
@settings(max_examples=200, deadline=None)
def test_a_time_is_read_as_it_was_written(when: datetime) -> None:
    exact = int(when.replace(tzinfo=PARIS).timestamp()) * 1_000_000_000
    for form in (
        "%Y-%m-%dT%H:%M:%S",
        "%Y%m%d%H%M%S",
        "snap_%Y.%m.%d-%H.%M.%S",
        "x%d-%m-%Y_%Hh%Mm%S",
        "a-%Y%m%dT%H%M%S",
    ):
        assert time_of(when.strftime(form), PARIS) == exact


@given(st.text(max_size=60) | st.from_regex(r"[0-9@GMTZ+:._ -]{8,40}", fullmatch=True))
@example("2026-11-03T08:00:00+99:99")
@example("2026-11-03T24:00")
@example("٢٠٢٦-١١-٠٣")
@settings(max_examples=200, deadline=None)
def test_any_name_is_read_without_a_crash(name: str) -> None:
    found = time_of(name)
    assert found is None or at(1979, 12, 31, zone=UTC) <= found < at(2201, 1, 1, zone=UTC)
