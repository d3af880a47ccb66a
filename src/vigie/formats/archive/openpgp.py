"""The beginning of a binary OpenPGP message (RFC 9580, 4.2, 5.1, 5.3): strict, for it has no magic."""

_PKESK, _SKESK = 1, 3
_AFTER = frozenset({1, 3, 9, 10, 18, 20, 21})
"""Packets that may follow a session key: another one, encrypted data of any age, marker, padding."""
_RSA, _ELGAMAL, _ECDH = frozenset({1, 2}), frozenset({16, 20}), 18
_X25519, _X448 = 25, 26
_CIPHERS = frozenset({1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13})
_HASHES = frozenset({1, 2, 3, 8, 9, 10, 11, 12, 14})


def is_message(head: bytes) -> bool:
    """Whether `head` starts with a session-key packet that another packet follows.

    A second packet header that would lie behind `head` is taken on trust.
    """
    first = _packet(head, 0)
    if first is None:
        return False
    tag, start, length = first
    body = head[start : start + length]
    if len(body) < min(length, len(head) - start):
        return False
    if not (_public(body, length) if tag == _PKESK else tag == _SKESK and _symmetric(body, length)):
        return False
    following = start + length
    if following >= len(head):
        return following > len(head) and length < 4096
    return head[following] & 0x80 != 0 and _tag(head[following]) in _AFTER


def _tag(byte: int) -> int:
    return byte & 0x3F if byte & 0x40 else byte >> 2 & 0x0F


def _packet(head: bytes, place: int) -> tuple[int, int, int] | None:
    """Tag, start of the body and its length; session keys have a definite length (section 4.2)."""
    if len(head) < place + 16 or not head[place] & 0x80:
        return None
    byte, first = head[place], head[place + 1]
    if byte & 0x40:
        if first < 192:
            return _tag(byte), place + 2, first
        if first < 224:
            return _tag(byte), place + 3, (first - 192 << 8) + head[place + 2] + 192
        return None
    size = (1, 2)[byte & 3] if byte & 3 < 2 else 0
    if not size:
        return None
    return _tag(byte), place + 1 + size, int.from_bytes(head[place + 1 : place + 1 + size], "big")


def _public(body: bytes, length: int) -> bool:
    """Version 3: key id, algorithm, and numbers that fill the packet; version 6: a fingerprint instead."""
    if len(body) < 12:
        return False
    if body[0] == 6:
        return body[1] in (0, 21, 33) and body[1:3] != b"\0\0"
    if body[0] != 3:
        return False
    algorithm = body[9]
    number = 2 + (int.from_bytes(body[10:12], "big") + 7) // 8
    if algorithm in _RSA:
        return 10 + number == length
    if algorithm in _ELGAMAL:
        return 10 + number < length <= 14 + 2 * number
    if algorithm == _ECDH:
        following = body[10 + number : 11 + number]
        return not following or 11 + number + following[0] == length
    return (algorithm == _X25519 and length > 42) or (algorithm == _X448 and length > 66)


def _symmetric(body: bytes, length: int) -> bool:
    """Version 4: a cipher, a string-to-key specifier and its hash; versions 5 and 6 name their lengths."""
    if len(body) < 4:
        return False
    if body[0] == 4:
        kind = body[2]
        if body[1] not in _CIPHERS:
            return False
        if kind == 4:
            return 22 <= length <= 22 + 33
        sizes = {0: 4, 1: 12, 3: 13}
        return kind in sizes and body[3] in _HASHES and sizes[kind] <= length <= sizes[kind] + 33
    if body[0] == 5:
        return body[1] in _CIPHERS and body[2] in (1, 2, 3) and body[3] in (0, 1, 3, 4) and length < 128
    return body[0] == 6 and body[1] < length and body[2] in _CIPHERS and body[3] in (1, 2, 3) and length < 128
