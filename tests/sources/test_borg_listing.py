"""What borg prints, whole and broken: the dump of an archive, and the list of archives."""

import json
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.sources.borg.archive import archives
from vigie.sources.borg.listing import Item, order, parse_listing

ONE, TWO = b"\x01" * 32, bytes(range(200, 232))


def shown(value: bytes) -> str:
    """As borg writes bytes (helpers/manifest.py, prepare_dump_dict)."""
    try:
        if not value.startswith(b"\x7f"):
            return value.decode()
    except UnicodeDecodeError:
        pass
    return "\x7f" + value.hex()


def file(path: bytes, *chunks: tuple[bytes, int, int], **more: Any) -> dict[str, Any]:
    found = [[shown(identifier), size, stored] for identifier, size, stored in chunks]
    return {
        "path": shown(path),
        "mode": 0o100640,
        "uid": 7,
        "gid": 8,
        "mtime": -5,
        "chunks": found,
        "size": 1,
    } | more


def dump(*items: Any) -> list[bytes]:
    """As borg prints an archive (archiver.py, do_debug_dump_archive)."""
    bodies = ",\n".join(textwrap.indent(json.dumps(item, indent=4), "    ") for item in items)
    text = '{\n    "_name": "a",\n    "_meta":\n    {\n        "x": 1\n    },\n    "_items": [\n' + bodies
    return (text + "\n    ]\n}\n").encode().splitlines(keepends=True)


def test_names_and_ids_come_back_byte_by_byte() -> None:
    names = [b"b/a.txt", b"\x7fdel", b"caf\xe9", "é\u2028\n\"'\\".encode(), b"b.txt", b"b"]
    listing = parse_listing(dump(*(file(name, (ONE, 3, 46), (TWO, 4, 40)) for name in names)))
    assert listing.flaw == ""
    assert {item.path.encode("utf-8", "surrogateescape")[1:] for item in listing.items} == set(names)
    assert [item.path for item in listing.items] == sorted(
        (item.path for item in listing.items),
        key=lambda path: path.encode("utf-8", "surrogateescape").split(b"/"),
    )
    for item in listing.items:
        assert (item.chunks, item.size, item.stored) == (ONE + TWO, 7, 86)
        assert (item.attributes.mode, item.attributes.uid, item.attributes.gid) == (0o640, 7, 8)
        assert item.attributes.mtime_ns == -5


def test_only_regular_files_are_listed() -> None:
    other = [file(b"folder", mode=0o040755), file(b"link", mode=0o120777), file(b"part.borg_part_1", part=1)]
    assert [item.path for item in parse_listing(dump(*other, file(b"x"))).items] == ["/x"]
    assert parse_listing(dump()).items == ()


def test_a_hard_link_is_read_by_the_name_that_has_the_chunks() -> None:
    link = file(b"z", source="a", chunks=[])
    del link["chunks"]
    listing = parse_listing(dump(file(b"a", (ONE, 3, 46)), link, file(b"lost", source="nowhere")))
    first, lost, second = listing.items
    assert (second.path, second.home, second.chunks) == ("/z", "/a", first.chunks)
    assert "hard link" in lost.flaw


def test_of_a_path_saved_twice_the_later_counts() -> None:
    (item,) = parse_listing(dump(file(b"a", (ONE, 3, 46)), file(b"a", (TWO, 4, 40)))).items
    assert item.chunks == TWO
    assert parse_listing(dump(file(b"a"), file(b"a", mode=0o040755))).items == ()


def test_what_is_strange_is_said_and_the_rest_is_read() -> None:
    strange = [
        file(b"../up"),
        file(b"/top"),
        file(b""),
        file(b"x", mode="rw"),
        file(b"y", uid=-1),
        {"path": 3},
    ]
    listing = parse_listing(dump(*strange, file(b"fine")))
    assert [item.path for item in listing.items] == ["/fine"]
    assert "6 entries" in listing.flaw


def test_files_whose_chunks_cannot_be_had() -> None:
    flawed = parse_listing(
        dump(
            file(b"healed", chunks_healthy=[]),
            file(b"none", chunks=3),
            file(b"short", chunks=[["abc", 1, 1]]),
            file(b"two", chunks=[[shown(ONE), 1]]),
        )
    )
    assert [bool(item.flaw) for item in flawed.items] == [True] * 4
    assert "zeros" in flawed.items[0].flaw


def test_cut_anywhere_it_says_so_and_keeps_what_came() -> None:
    whole = b"".join(dump(file(b"a", (ONE, 3, 46)), file(b"b", (TWO, 4, 40))))
    for end in range(0, len(whole) - 8, 7):
        listing = parse_listing(whole[:end].splitlines(keepends=True))
        assert listing.flaw
        assert [item.path for item in listing.items] == ["/a", "/b"][: len(listing.items)]


def test_an_entry_without_end_is_not_swallowed() -> None:
    def lines() -> Any:
        yield b'    "_items": [\n'
        yield b"    {\n"
        for _ in range(1_000):
            yield b"x" * (1 << 20)
        raise AssertionError("it read on")

    assert "too long" in parse_listing(lines()).flaw


def test_deeply_nested_rubbish() -> None:
    text = b'    "_items": [\n    {\n"a": ' + b"[" * 100_000 + b"\n    }\n"
    assert parse_listing(text.splitlines(keepends=True)).flaw


@given(st.lists(st.binary(max_size=40), max_size=30))
@settings(max_examples=100, deadline=None)
def test_anything_is_read_without_a_crash(lines: list[bytes]) -> None:
    listing = parse_listing([b'    "_items": [\n', b"    {\n", *lines, b"    }\n", b"    ]\n"])
    assert all(isinstance(item, Item) for item in listing.items)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_KEYS = ("path", "mode", "uid", "gid", "mtime", "chunks", "source", "part", "chunks_healthy")


@pytest.mark.parametrize("change", [{"mode": 1 << 32}, {"uid": 1 << 32}, {"gid": 1 << 40}, {"mode": -1}])
def test_numbers_that_no_system_has_are_not_taken_over(change: dict[str, Any]) -> None:
    listing = parse_listing(dump(file(b"first", (ONE, 3, 46)), file(b"x") | change))
    assert [item.path for item in listing.items if not item.flaw] == ["/first"]


@given(st.dictionaries(st.sampled_from(_KEYS), _json))
@settings(max_examples=200, deadline=None)
def test_any_entry_is_read_without_a_crash(changes: dict[str, Any]) -> None:
    listing = parse_listing(dump(file(b"first", (ONE, 3, 46)), file(b"x") | changes))
    assert all(item.path.startswith("/") and ".." not in item.path.split("/") for item in listing.items)
    assert [item.path for item in listing.items] == sorted((i.path for i in listing.items), key=order)


def entry(name: str, start: str, *command: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "id": name * 8, "start": start, "hostname": "pc", "command_line": [*command]} | more


def test_archives_come_oldest_first() -> None:
    create = ("/usr/bin/borg", "create", "--stats", "/repo::x")
    found = archives(
        {
            "archives": [
                entry("b", "2026-11-04T08:00:00.500000", *create, "/srv/data", "rel/./x", "../up", "."),
                entry("a", "2026-11-03T08:00:00", *create, "-C", "none", "/srv"),
                entry(
                    "c", "never", "borg", "create", "--compression=obfuscate,3,lz4", "::x", "/", "-v", "/x"
                ),
                entry("d", "0001-01-01T00:00:00", barchive="d\udce9", command_line=None, hostname=3),
                entry("", "2026-11-03T08:00:00"),
                entry("e\0", "2026-11-03T08:00:00"),
                {},
                3,
            ]
        }
    )
    byname = {archive.name: archive for archive in found}
    assert list(byname) == ["d\udce9", "c", "a", "b"]
    assert byname["b"].snapshot.time_ns == 1_793_779_200_500_000_000
    assert byname["b"].snapshot.paths == ("/srv/data", "/rel/x", "/up", "/")
    assert byname["c"].snapshot.paths == ("/",)
    assert byname["d\udce9"].snapshot.paths == ()
    assert [byname[name].compressed for name in ("a", "b", "c")] == [False, True, False]
    assert byname["b"].snapshot.host == "pc"
    assert byname["b"].snapshot.tags == ("b",)


def test_compression_as_the_command_line_has_it() -> None:
    for words, expected in (
        (("-Cnone",), False),
        (("-Clzma,6",), True),
        (("--compression", "none"), False),
        (("--compression=zstd",), True),
        (("-C",), True),
    ):
        (archive,) = archives({"archives": [entry("a", "2026-11-03T08:00:00", "borg", *words)]})
        assert archive.compressed is expected


def test_no_list_of_archives() -> None:
    assert archives({}) == archives({"archives": 3}) == ()
