"""Thrift's compact protocol (thrift-compact-protocol.md), as far as Parquet's footers and page headers need.

By hand: bounded in depth and in values, and it says where a message ends.
"""

from typing import Any

_DEPTH = 16
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_MOST = 1 << 20
"""Values of one message."""


class NoThriftError(ValueError):
    """The bytes are no message; `offset` is where that shows."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no Thrift message at byte {offset}")
        self.offset = offset


class Reader:
    """Reads one message: structures become dictionaries by field number."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0
        self.values = 0

    def varint(self) -> int:
        """An unsigned number of at most 64 bits.

        Raises:
            NoThriftError: there is none.
        """
        value = 0
        for shift in range(0, 70, 7):
            if self.place >= len(self.data):
                break
            byte = self.data[self.place]
            self.place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise NoThriftError(self.place)

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """A structure, up to and with its stop byte.

        Raises:
            NoThriftError: it is none, or deeper or larger than is sensible.
        """
        fields: dict[int, Any] = {}
        number = 0
        while True:
            head = self._byte()
            if head == _STOP:
                return fields
            kind, step = head & 15, head >> 4
            number = number + step if step else self._zigzag()
            if not 0 < number < 1 << 15:
                raise NoThriftError(self.place)
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth + 1)

    def _byte(self) -> int:
        if self.place >= len(self.data):
            raise NoThriftError(self.place)
        self.place += 1
        return self.data[self.place - 1]

    def _zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> Any:
        self.values += 1
        if depth > _DEPTH or self.values > _MOST:
            raise NoThriftError(self.place)
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind < _DOUBLE:
            return self._zigzag()
        if kind in (_DOUBLE, _BINARY):
            length = 8 if kind == _DOUBLE else self.varint()
            if length > len(self.data) - self.place:
                raise NoThriftError(self.place)
            self.place += length
            return self.data[self.place - length : self.place]
        if kind in (_LIST, _SET):
            head = self._byte()
            count = self.varint() if head >> 4 == 15 else head >> 4
            self._room(count)
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == _MAP:
            count = self.varint()
            self._room(count)
            kinds = self._byte() if count else 0
            return [
                (self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(count)
            ]
        if kind == _STRUCT:
            return self.structure(depth)
        raise NoThriftError(self.place)

    def _room(self, count: int) -> None:
        """Whether `count` values can follow: each takes a byte at least."""
        if count > len(self.data) - self.place:
            raise NoThriftError(self.place)
