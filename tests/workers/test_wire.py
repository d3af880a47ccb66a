import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.model import Basis, Likeness, Pattern, Range, State, Verdict
from vigie.workers import wire

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
)


def test_what_is_said_is_what_is_heard() -> None:
    assert wire.read_reply(wire.reply(VERDICT)) == VERDICT
    assert wire.read_reply(wire.reply(Verdict.skipped("no"))) == Verdict.skipped("no")
    assert wire.read_request(wire.request("caf\udce9", LIKENESS)) == ("caf\udce9", LIKENESS)
    assert wire.read_request(wire.request("x", None)) == ("x", None)


def test_long_evidence_still_fits_in_a_message() -> None:
    long = Verdict(State.UNKNOWN, evidence=("x" * 100_000,) * 5)
    assert len(wire.reply(long)) < wire.LONGEST
    wire.read_reply(wire.reply(long))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nonsense_is_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"^"):
        wire.read_reply(message)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "fine"},
        {"format": 3},
        {"ranges": [[1]]},
        {"evidence": [1]},
        {"evidence": ["x" * 3000]},
        {"evidence": ["x"] * 101},
        {"pattern": "zigzag"},
        {"confidence": "high"},
    ],
)
def test_every_field_of_a_reply_is_checked(change: dict[str, object]) -> None:
    record, likeness = json.loads(wire.reply(VERDICT))
    with pytest.raises(ValueError, match=r"^"):
        wire.read_reply(json.dumps([record | change, likeness]).encode())


def test_a_likeness_is_checked_too() -> None:
    record, likeness = json.loads(wire.reply(VERDICT))
    likeness[1] = 7
    with pytest.raises(ValueError, match="a word"):
        wire.read_reply(json.dumps([record, likeness]).encode())
