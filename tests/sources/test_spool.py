"""Streams put where they can be read anywhere: in memory, or on disk."""

import os

import pytest

from vigie.errors import Unreadable
from vigie.sources import spool
from vigie.sources.spool import spooled


@pytest.mark.parametrize("limit", [1 << 20, 3])
def test_in_memory_and_on_disk(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", limit)
    with spooled((b"abc", b"", b"defg"), 7) as blob:
        assert (blob.size, blob.at(2, 3)) == (7, b"cde")
        with pytest.raises(OSError, match=r"."):
            os.write(blob.fileno(), b"x")


def test_more_than_was_said() -> None:
    with pytest.raises(Unreadable, match="longer"):
        spooled((b"abc", b"d"), 3)


def test_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable, match="too many"):
        spooled((), 1 << 60)

    def refused(_name: str, _flags: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", refused)
    with pytest.raises(Unreadable, match="too many open files"):
        spooled((), 0)
