"""Whether bytes are JSON (RFC 8259), slice by slice: one compiled loop, no memory but the nesting.

Many times as fast as a parser that makes objects. It accepts what Python's `json` does, also several
documents one after another, NaN and Infinity, but nothing nested deeper than `MAX_DEPTH`. Whether the bytes
are UTF-8 is not looked at.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled

MAX_DEPTH = 512

_BETWEEN, _VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _AFTER = range(7)
_STRING, _ESCAPE, _HEX = 7, 8, 9
_MINUS, _POINT, _EXPONENT, _SIGNED, _WORD = range(10, 15)
_ZERO, _WHOLE, _FRACTION, _POWER = range(15, 19)
"""From the first of these on, a number may end."""
_WORDS = np.frombuffer(b"true false null NaN Infinity ", np.uint8)
_NAN, _INFINITY = 16, 20
"""Where they begin among the words."""


class Follower:
    """Follows the grammar through a document that is given slice by slice."""

    __slots__ = ("_nesting", "_place")

    def __init__(self) -> None:
        # State, depth, documents, the place in a word or hexadecimal number, and whether a string is a key.
        self._place = np.zeros(5, np.int64)
        self._nesting = np.zeros(MAX_DEPTH, np.bool_)  # whether an object or an array

    def feed(self, data: bytes) -> int:
        """Where in `data` is what cannot follow what came before, after which nothing may be fed; else -1."""
        return int(_followed(np.frombuffer(data, np.uint8), self._place, self._nesting))

    @property
    def documents(self) -> int:
        """How many documents were whole so far."""
        return int(self._place[2]) + bool(self._place[0] >= _ZERO and self._place[1] == 0)

    @property
    def whole(self) -> bool:
        """Whether the bytes may end here."""
        return bool(self._place[1] == 0 and (self._place[0] == _BETWEEN or self._place[0] >= _ZERO))

    @property
    def deep(self) -> bool:
        """Whether it went as deep as is followed."""
        return bool(self._place[1] >= MAX_DEPTH)


def warm() -> None:
    """Compile the loop, or load it from where it is kept, before the first file and confinement."""
    Follower().feed(b"[]")


@compiled
def _quiet(value: Any) -> bool:
    """Whether a string goes on."""
    return bool((value >= 0x20) & (value != 0x22) & (value != 0x5C))


@compiled
def _blank(value: Any) -> bool:
    return bool((value == 0x20) | (value == 0x0A) | (value == 0x0D) | (value == 0x09))


@compiled
def _sign(value: Any) -> bool:
    return bool((value == 0x2B) | (value == 0x2D))


@compiled
def _followed(data: NDArray[np.uint8], place: NDArray[np.int64], nesting: NDArray[np.bool_]) -> Any:
    state, depth, documents, count, key = place[0], place[1], place[2], place[3], place[4]
    at = 0
    wrong = False
    while at < data.size:
        value = data[at]
        done = False  # a value is complete
        again = False  # with this byte, which is not part of it
        if state == _STRING:
            while _quiet(value):
                at += 1
                if at == data.size:
                    break
                value = data[at]
            if at == data.size:
                break
            if value == 0x5C:
                state = _ESCAPE
            elif value == 0x22:
                if key:
                    state = _COLON
                else:
                    done = True
            else:
                wrong = True
        elif _blank(value):
            if state >= _ZERO:
                done = True
            elif state > _AFTER:
                wrong = True
        elif state == _AFTER:
            if value == 0x2C:
                state = _KEY if nesting[depth - 1] else _VALUE
            elif value == (0x7D if nesting[depth - 1] else 0x5D):
                depth -= 1
                done = True
            else:
                wrong = True
        elif state == _COLON:
            wrong = value != 0x3A
            state = _VALUE
        elif _KEY <= state <= _KEY_OR_END and value == 0x22:
            key, state = 1, _STRING
        elif (state == _KEY_OR_END and value == 0x7D) or (state == _VALUE_OR_END and value == 0x5D):
            depth -= 1
            done = True
        elif state <= _VALUE_OR_END:
            if value == 0x22:
                key, state = 0, _STRING
            elif value | 0x20 == 0x7B:
                if depth == nesting.size:
                    wrong = True
                else:
                    nesting[depth] = value == 0x7B
                    depth += 1
                    state = _KEY_OR_END if value == 0x7B else _VALUE_OR_END
            elif value == 0x30:
                state = _ZERO
            elif 0x31 <= value <= 0x39:
                state = _WHOLE
            elif value == 0x2D:
                state = _MINUS
            elif state != _BETWEEN or value != 0x1E:  # RFC 7464 begins each document with one
                # The words begin with different letters.
                wrong = True
                for begin in (0, 5, 11, _NAN, _INFINITY):
                    if value == _WORDS[begin]:
                        wrong, count, state = False, begin + 1, _WORD
        elif state < _STRING:
            wrong = True
        elif state == _ESCAPE:
            count, state = 4, _STRING
            if value == 0x75:
                state = _HEX
            else:
                wrong = True
                for allowed in (0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74):
                    if value == allowed:
                        wrong = False
        elif state == _HEX:
            lower = value | 0x20
            wrong = not (0x30 <= value <= 0x39 or 0x61 <= lower <= 0x66)
            count -= 1
            if count == 0:
                state = _STRING
        elif state == _WORD:
            wrong = value != _WORDS[count]
            count += 1
            done = _WORDS[count] == 0x20
        elif 0x30 <= value <= 0x39 and state != _ZERO:
            if state == _MINUS:
                state = _ZERO if value == 0x30 else _WHOLE
            elif state == _POINT:
                state = _FRACTION
            elif _EXPONENT <= state <= _SIGNED:
                state = _POWER
        elif value == 0x2E and _ZERO <= state <= _WHOLE:
            state = _POINT
        elif (value | 0x20) == 0x65 and _ZERO <= state <= _FRACTION:
            state = _EXPONENT
        elif state == _EXPONENT and _sign(value):
            state = _SIGNED
        elif value == 0x49 and state == _MINUS:
            count, state = _INFINITY + 1, _WORD
        elif state >= _ZERO:
            done = again = True
        else:
            wrong = True
        if wrong:
            break
        if done:
            state = _AFTER if depth > 0 else _BETWEEN
            documents += depth == 0
        if not again:
            at += 1
    place[0], place[1], place[2], place[3], place[4] = state, depth, documents, count, key
    return at if wrong else -1
