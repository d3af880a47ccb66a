"""The parser of fanotify's events with file handles: no kernel needed."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.watch import fanotify_abi as abi
from vigie.watch.fanotify_names import Orphans
from vigie.watch.name_changes import Change, Name, parse

FSID = 0x1122334455667788
FOLDER = struct.pack("=Ii", 8, 1) + b"folder-1"


def info(kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    return struct.pack("=BBH", kind, 0, 4 + len(body)) + body


def place(kind: int, name: bytes, folder: bytes = FOLDER) -> bytes:
    fsid = struct.pack("=II", FSID & 0xFFFFFFFF, FSID >> 32)
    return info(kind, fsid + folder + name + b"\0")


def event(mask: int, pid: int, *infos: bytes) -> bytes:
    more = b"".join(infos)
    return struct.pack("=IBBHQii", 24 + len(more), 3, 0, 24, mask, -1, pid) + more


def test_a_rename_has_both_names() -> None:
    data = event(
        abi.FAN_RENAME,
        42,
        place(abi.INFO_OLD_DFID_NAME, b"a\n\x1b[2J"),
        place(abi.INFO_NEW_DFID_NAME, b"caf\xe9"),
        info(abi.INFO_PIDFD, struct.pack("=i", 9)),
    )
    folder = (FSID, FOLDER)
    assert list(parse(data)) == [
        Change(abi.FAN_RENAME, 42, 9, Name(folder, "a\n\x1b[2J"), Name(folder, "caf\udce9"))
    ]


def test_a_removed_folder_is_named_itself() -> None:
    own = struct.pack("=Ii", 4, 1) + b"self"
    fsid = struct.pack("=II", FSID & 0xFFFFFFFF, FSID >> 32)
    mask = abi.FAN_DELETE | abi.FAN_ONDIR
    (change,) = parse(event(mask, 1, place(abi.INFO_DFID_NAME, b"d" * 255), info(abi.INFO_FID, fsid + own)))
    assert change.itself == (FSID, own)
    assert change.at is not None
    assert change.at.name == "d" * 255
    assert change.pidfd == abi.FAN_EPIDFD


def test_what_makes_no_sense_is_left_out() -> None:
    lying = struct.pack("=Ii", 200, 1) + b"x" * 200
    longer = struct.pack("=Ii", 100, 1) + b"x" * 20
    for bad in (
        place(abi.INFO_DFID_NAME, b""),
        place(abi.INFO_DFID_NAME, b"."),
        place(abi.INFO_DFID_NAME, b".."),
        place(abi.INFO_DFID_NAME, b"../etc"),
        place(abi.INFO_DFID_NAME, b"a", lying),
        place(abi.INFO_DFID_NAME, b"a", longer),
        info(abi.INFO_DFID_NAME, b"short"),
        info(abi.INFO_FID, b"short"),
        info(99, b"what is this"),
        info(abi.INFO_PIDFD, b""),
        struct.pack("=BBH", abi.INFO_DFID_NAME, 0, 9999) + bytes(64),
        struct.pack("=BBH", abi.INFO_DFID_NAME, 0, 0) + bytes(64),
    ):
        assert list(parse(event(abi.FAN_DELETE, 7, bad))) == [Change(abi.FAN_DELETE, 7, abi.FAN_EPIDFD)]
    (lost,) = parse(struct.pack("=IBBHQii", 24, 2, 0, 24, 8, 5, 42))
    assert lost.mask == abi.FAN_Q_OVERFLOW


kinds = st.sampled_from([1, 2, 3, 4, 10, 12, 77])
records = st.builds(info, kinds, st.binary(max_size=60)) | st.builds(place, kinds, st.binary(max_size=40))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.lists(records, max_size=5).map(lambda r: event(0x200, 3, *r)))
def test_any_bytes_are_parsed(data: bytes) -> None:
    for change in parse(data):
        for name in (change.at, change.to):
            assert name is None or ("/" not in name.name and name.name not in ("", ".", ".."))
            assert name is None or len(name.folder[1]) <= 8 + 128


def test_what_waits_for_its_folder_is_bounded_and_given_up_in_time() -> None:
    orphans = Orphans()
    one, other = (1, b"one"), (1, b"other")
    orphans.add(one, Change(abi.FAN_DELETE, 1, 77))
    orphans.age()
    orphans.add(one, Change(abi.FAN_DELETE, 2, abi.FAN_NOPIDFD))
    assert [(c.pid, c.pidfd) for c in orphans.take(one)] == [(1, abi.FAN_EPIDFD), (2, abi.FAN_NOPIDFD)]
    assert orphans.take(one) == []
    orphans.add(other, Change(abi.FAN_DELETE, 1, -1))
    orphans.age()
    assert orphans.given_up == 0
    orphans.age()
    assert (orphans.given_up, orphans.take(other)) == (1, [])
    for number in range(20_000):
        orphans.add((1, b"%d" % number), Change(abi.FAN_DELETE, 1, -1))
    assert orphans.given_up > 10_000
