"""How what lies in a restic repository is sealed: authenticated, then opened.

Sealed bytes are `IV(16) || AES-256-CTR ciphertext || Poly1305-AES tag(16)` (restic doc/design.rst, "Keys,
Encryption and MAC"). Reading needs no sealing, so there is none here.
"""

import base64
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

from vigie.errors import Unreadable
from vigie.sources.restic.document import parse

OVERHEAD = 32
"""Bytes that sealing adds: IV and tag."""


@dataclass(frozen=True, slots=True)
class Key:
    """What opens sealed bytes."""

    encrypt: bytes = field(repr=False)
    """AES-256 key, 32 bytes."""
    k: bytes = field(repr=False)
    """AES-128 key of the authenticator, 16 bytes."""
    r: bytes = field(repr=False)
    """Poly1305 key, 16 bytes; masked by Poly1305 itself (The Poly1305-AES paper, section 2)."""

    def open(self, sealed: bytes) -> bytes:
        """The plain bytes.

        Raises:
            Unreadable: too short, or altered since it was sealed with this key.
        """
        if len(sealed) < OVERHEAD:
            raise Unreadable("it is too short to be sealed by restic")
        nonce, body, tag = sealed[:16], memoryview(sealed)[16:-16], sealed[-16:]
        try:
            self.authenticator(nonce, body).verify(tag)
        except InvalidSignature as error:
            raise Unreadable("its seal is broken: it was altered after restic wrote it") from error
        decryptor = Cipher(AES(self.encrypt), CTR(nonce)).decryptor()
        return decryptor.update(body) + decryptor.finalize()

    def authenticator(self, nonce: bytes, body: bytes | memoryview) -> Poly1305:
        """Poly1305-AES of `body`: the one-time form of RFC 8439 section 2.5, keyed `r || AES_k(nonce)`."""
        # ECB of a single block is the bare AES that the paper asks for.
        pad = Cipher(AES(self.k), ECB()).encryptor().update(nonce)  # noqa: S305 (see above)
        authenticator = Poly1305(self.r + pad)
        authenticator.update(body)
        return authenticator


def _binary(value: Any, length: int) -> bytes:
    if not isinstance(value, str):
        raise Unreadable("a part of the key is missing")
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise Unreadable("a part of the key is not base64") from error
    if len(data) != length:
        raise Unreadable("a part of the key has the wrong length")
    return data


def master_key(data: bytes) -> Key:
    """The key of the repository, from the JSON document that a key file seals.

    Raises:
        Unreadable: it is none.
    """
    document = parse(data)
    mac = document.get("mac")
    if not isinstance(mac, dict):
        raise Unreadable("the authentication key is missing")
    return Key(_binary(document.get("encrypt"), 32), _binary(mac.get("k"), 16), _binary(mac.get("r"), 16))
