"""The key that manifests are signed with: Ed25519 (RFC 8032), made once, kept in the state folder.

Its fingerprint is the SHA-256 of the public key as SubjectPublicKeyInfo in DER (RFC 8410), so that
`openssl pkey -pubin -outform DER | sha256sum` gives the same.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from vigie.errors import NotPermitted, VigieError

NAME = "manifest.key"
_REMEDY = "Set this file aside: a new key is made, and its fingerprint differs."


class PublicKey:
    """What anybody may have, to check."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = hashlib.sha256(der).hexdigest()

    @classmethod
    def of_pem(cls, pem: bytes) -> "PublicKey | None":
        """The key in a PEM file, or None where there is no Ed25519 key in it."""
        try:
            key = load_pem_public_key(pem)
        except ValueError:
            return None
        return cls(key) if isinstance(key, Ed25519PublicKey) else None

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this signature of this message was made with the private key."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The private key of this installation."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def signing_key(state: Path) -> SigningKey:
    """The key in a state folder; made there, readable by its owner only, where there is none yet.

    Raises:
        NotPermitted: it cannot be read or made.
        VigieError: what is there is no key of ours.
    """
    path = state / NAME
    try:
        if not path.exists():
            _make(path)
        return SigningKey(_read(path))
    except OSError as error:
        remedy = "Run as the user who owns it, or give another --state."
        raise NotPermitted(str(path), error.strerror or str(error), remedy) from error


def known_key(state: Path) -> PublicKey | None:
    """The public half of the key in a state folder, if one can be read there; none is made."""
    try:
        return SigningKey(_read(state / NAME)).public
    except (OSError, VigieError):
        return None


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise VigieError(str(path), "this is not the key that Vigie made", _REMEDY) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise VigieError(str(path), "this is not an Ed25519 key", _REMEDY)
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # Whole under a name of its own first: a second run, or a power cut, must not meet half a key.
    draft = path.with_name(f"{NAME}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, pem)
        os.fsync(fd)
    finally:
        os.close(fd)
    with suppress(FileExistsError):  # another run was first: its key is the key
        os.link(draft, path)
    os.unlink(draft)
