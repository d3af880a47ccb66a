"""The compiled grammar accepts what Python's parser accepts, wherever the slices are cut."""

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.office import json_grammar
from vigie.formats.office.json_grammar import MAX_DEPTH, Follower

PIECES = (
    *'{}[],:"\\/-+.0123456789eEu \n\x1etfnNI',
    *(
        "true",
        "false",
        "null",
        "NaN",
        "Infinity",
        "-Infinity",
        "\\u00e9",
        '"a"',
        '"a":',
        "1e5",
        "-0.5",
        "é",
        "\t",
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def twin(words: str) -> int | None:
    """How many documents Python reads, one after another; None where it cannot."""
    decoder, at, count = json.JSONDecoder(), 0, 0
    while True:
        found = re.compile("[ \t\r\n\x1e]*").match(words, at)
        at = found.end() if found else at
        if at >= len(words):
            return count
        try:
            _, at = decoder.raw_decode(words, at)
        except json.JSONDecodeError:
            return None
        count += 1


def followed(words: str, cut: int = 0) -> int | None:
    data = words.encode()
    follower = Follower()
    for piece in (data[:cut], data[cut:]):
        if follower.feed(piece) >= 0:
            return None
    return follower.documents if follower.whole else None


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.integers(0, 20))
@settings(max_examples=400, deadline=None)
def test_any_characters(words: str, cut: int) -> None:
    assert followed(words, cut) == twin(words)


@given(VALUES, st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, 2]))
@settings(max_examples=150, deadline=None)
def test_what_python_writes_and_what_is_struck(
    value: object, dice: random.Random, ascii_only: bool, indent: int | None
) -> None:
    words = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    words = words.encode("utf-8", "replace").decode()
    assert followed(words, dice.randrange(len(words) + 1)) == 1
    at = dice.randrange(len(words))
    struck = words[:at] + dice.choice(PIECES) + words[at + dice.randrange(2) :]
    assert followed(struck, dice.randrange(len(struck) + 1)) == twin(struck)


@given(st.binary(max_size=60), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_fail_where_they_fail_in_one_piece(data: bytes, cut: int) -> None:
    for start in (b"", b'["', b'{"a":'):
        whole, parts = Follower(), Follower()
        found = whole.feed(start + data)
        first = parts.feed((start + data)[:cut])
        rest = parts.feed((start + data)[cut:]) if first < 0 else -1
        assert found == (first if first >= 0 else rest + min(cut, len(start + data)) if rest >= 0 else -1)


WORDS = (
    *('{"a": [1, -2.5e-3, true, null, "\\u00e9\\n"]}', "[NaN]", "[1,]", "{1:2}", "[01]", "", "12 0"),
    *("[0.5, 2E+3, -Infinity]", "[tru", '"\\x"', '"\n"', "[1 2]", "[-x]", "- 1", "\x1e{}", "[" * 600),
)


@pytest.mark.parametrize("words", WORDS)
def test_the_plain_loop_equals_the_compiled_one(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = followed(words, 3)
    for name in ("_quiet", "_blank", "_sign", "_followed"):
        monkeypatch.setattr(json_grammar, name, getattr(json_grammar, name).py_func)
    assert followed(words, 3) == found


def test_nesting_is_bounded() -> None:
    follower = Follower()
    assert follower.feed(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == -1
    assert (follower.documents, follower.whole, follower.deep) == (1, True, False)
    follower = Follower()
    assert follower.feed(b'{"a":' * 100_000) == 5 * MAX_DEPTH
    assert follower.deep
