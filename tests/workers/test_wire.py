import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.model import Basis, Likeness, Pattern, Period, Range, State, Verdict
from vigie.workers import wire
from vigie.workers.pool import DEPTH

LIKENESS = Likeness(State.INTACT, "pdf", 12, 0.5, bytes(range(32)))
VERDICT = Verdict(
    State.ENCRYPTED,
    "pdf",
    Pattern.HEADER,
    (Range(0, 4096),),
    Basis.STRUCTURE,
    0.97,
    ("why", "caf\udce9"),
    LIKENESS,
    Period(64, 128),
    12,
)


FIELDS = (
    "state", "format", "pattern", "ranges", "basis", "confidence", "evidence", "likeness", "period", "read",
)  # fmt: skip


def there_and_back(*verdicts: Verdict) -> list[Verdict]:
    return wire.read_reply(wire.reply(wire.verdict(verdict) for verdict in verdicts))


def test_what_is_said_is_what_is_heard() -> None:
    assert there_and_back() == []
    assert there_and_back(VERDICT, Verdict.skipped("no"), VERDICT) == [
        VERDICT,
        Verdict.skipped("no"),
        VERDICT,
    ]
    looks = [("caf\udce9", LIKENESS), ("x", None)]
    assert wire.read_request(wire.request(looks)) == (False, looks)
    assert wire.read_request(wire.request([], full=True)) == (True, [])


def test_of_a_long_name_the_end_travels() -> None:
    long = "d/" * 10_000 + "a.txt"
    _, [(name, _)] = wire.read_request(wire.request([(long, None)]))
    assert len(name) == wire.NAME
    assert name.endswith("/a.txt")


@pytest.mark.parametrize("text", ["\udce9", "\U0001f600"])
def test_as_many_requests_as_a_worker_has_at_hand_fit_into_a_socket(text: str) -> None:
    message = wire.request([(text * 10_000, LIKENESS)] * wire.BATCH)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        for _ in range(DEPTH):
            assert ours.send(message) == len(message)


@pytest.mark.parametrize("text", ["x", "\udce9", "\U0001f600"])
def test_all_that_a_verdict_can_say_fits_in_a_message(text: str) -> None:
    ranges = tuple(Range(n, 1 << 62) for n in range(1000))
    long = Verdict(State.UNKNOWN, "f", ranges=ranges, evidence=(text * 100_000,) * 500, likeness=LIKENESS)
    message = wire.reply([b"0" * wire.SHEAF, wire.verdict(long)])
    assert len(message) < 208 * 1024 < wire.LONGEST  # net.core.wmem_default
    [heard] = there_and_back(long)
    assert heard.evidence[0] == text * 2000


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nonsense_is_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"^"):
        wire.read_reply(message)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), _JSON), max_size=3))
def test_whatever_a_field_holds_it_is_a_verdict_or_a_value_error(changes: list[tuple[str, object]]) -> None:
    parts = json.loads(wire.verdict(VERDICT))
    for name, value in changes:
        parts[FIELDS.index(name)] = value
    try:
        [heard] = wire.read_reply(json.dumps([parts]).encode())
    except ValueError:
        return
    assert there_and_back(heard) == [heard]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "fine"),
        ("format", 3),
        ("format", "a\x1b[31m"),
        ("format", "caf\u00e9"),
        ("ranges", [[1]]),
        ("ranges", [[1, 2.0]]),
        ("ranges", [[2, 1]]),
        ("ranges", [[-1, 1]]),
        ("ranges", [[0, 1 << 63]]),
        ("ranges", [[False, True]]),
        ("ranges", [[0, 1]] * 300),
        ("ranges", {}),
        ("evidence", [1]),
        ("evidence", "word"),
        ("evidence", ["x" * 3000]),
        ("evidence", ["x"] * 101),
        ("pattern", "zigzag"),
        ("pattern", ""),
        ("basis", "faith"),
        ("confidence", "high"),
        ("period", [0, 1]),
        ("period", [16]),
        ("period", [16, 16.5]),
        ("read", -1),
        ("read", None),
        ("likeness", [1, 2]),
        ("likeness", ["intact", 7, 12, 0.5, ""]),
        ("likeness", ["intact", "pdf", -12, 0.5, ""]),
    ],
)
def test_every_field_of_a_reply_is_checked(name: str, value: object) -> None:
    parts = json.loads(wire.verdict(VERDICT))
    parts[FIELDS.index(name)] = value
    with pytest.raises(ValueError, match=r"^"):
        wire.read_reply(json.dumps([parts]).encode())


@pytest.mark.parametrize("message", [b"{}", b"7", b"null", b'"text"', b'[{"state": "intact"}]'])
def test_a_reply_is_a_list_of_lists(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"list|reply"):
        wire.read_reply(message)


@pytest.mark.parametrize("change", [[], ["more"]])
def test_a_verdict_has_all_its_fields_and_no_others(change: list[str]) -> None:
    parts = json.loads(wire.verdict(VERDICT))
    parts = [*parts, *change] if change else parts[:-1]
    with pytest.raises(ValueError, match="not a reply"):
        wire.read_reply(json.dumps([parts]).encode())
