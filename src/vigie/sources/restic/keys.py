"""The way into a repository: scrypt turns a password into a key, which opens the master key.

restic doc/design.rst, "Keys, Encryption and MAC".
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from vigie.errors import NoSuchTarget, RepositoryDamaged, Unreadable, WrongPassword
from vigie.model import Skipped
from vigie.sources.restic.crypto import Key, master_key
from vigie.sources.restic.document import is_name, parse
from vigie.sources.restic.transport import Transport, Unreachable

_MAX_FILE = 64 * 1024
_MAX_KEYS = 64
"""Key files tried. Each costs half a second, and whoever can write to the repository can add some."""

# restic calibrates to 60 MiB and half a second; a key file is written by whoever can write to the
# repository, and must not take the memory or the evening.
_MAX_MEMORY = 512 * 1024 * 1024
_MAX_WORK = 1 << 25
"""Bound of N * r * p; restic's own keys are about 2**21."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One way into a repository: a sealed master key, and how a password becomes the key that opens it."""

    n: int
    r: int
    p: int
    salt: bytes
    data: bytes

    @classmethod
    def read(cls, raw: bytes) -> "KeyFile":
        """Read a key file (plain JSON).

        Raises:
            Unreadable: it is none, or asks for more memory or work than an honest one.
        """
        document = parse(raw)
        if document.get("kdf") != "scrypt":
            raise Unreadable("its key derivation is not scrypt")
        n, r, p = (document.get(name) for name in ("N", "r", "p"))
        if not (isinstance(n, int) and isinstance(r, int) and isinstance(p, int)):
            raise Unreadable("its scrypt parameters are missing")
        if n < 2 or n & (n - 1) or r < 1 or p < 1:
            raise Unreadable("its scrypt parameters are impossible")
        if n > 1 << 20 or r > 32 or 128 * r * (n + p) > _MAX_MEMORY or n * r * p > _MAX_WORK:
            raise Unreadable("its scrypt parameters ask for more memory or time than any honest key")
        salt, data = document.get("salt"), document.get("data")
        if not (isinstance(salt, str) and isinstance(data, str)):
            raise Unreadable("its salt or its key is missing")
        try:
            return cls(n, r, p, base64.b64decode(salt, validate=True), base64.b64decode(data, validate=True))
        except ValueError as error:
            raise Unreadable("its salt or its key is not base64") from error

    def unlock(self, password: str) -> Key | None:
        """The master key, or nothing where the password does not open this key file.

        Raises:
            Unreadable: the password opens it, and what it holds is no key.
        """
        secret = password.encode("utf-8", "surrogateescape")
        # OpenSSL wants leave for N blocks and the p working blocks (RFC 7914 section 2).
        memory = 128 * self.r * (self.n + self.p + 2) + 1024 * 1024
        derived = hashlib.scrypt(
            secret, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=64
        )
        try:
            plain = Key(derived[:32], derived[32:48], derived[48:]).open(self.data)
        except Unreadable:
            return None
        return master_key(plain)


def unlock(
    transport: Transport,
    password: str | Callable[[], str],
    name: str,
    damage: list[Skipped],
    *,
    config_is_there: bool,
) -> Key:
    """The master key; key files that cannot be read are added to `damage`. `name` is what people call it.

    Raises:
        NoSuchTarget: there is neither a config nor a key file, or whoever keeps them does not answer.
        WrongPassword: no key file opens with this password.
        RepositoryDamaged: there is no key file that can be read.
    """
    try:
        names = transport.names("keys")
    except Unreachable as error:
        remedy = "Check the location, the access keys and the network."
        raise NoSuchTarget(name, error.reason, remedy) from error
    except Unreadable as error:
        raise RepositoryDamaged(name, f"keys: {error.reason}", "Try again, then restic check.") from error
    if not names:
        if config_is_there:
            raise RepositoryDamaged(
                name, "it has no key file: nothing opens it", "Restore keys/ from a copy."
            )
        raise NoSuchTarget(
            name, "no restic repository is there", "Check the location: it holds a file 'config'."
        )
    key_files: list[tuple[str, KeyFile]] = []
    for key_name in names:
        try:
            if not is_name(key_name):
                raise Unreadable("its name is not one that restic gives")  # noqa: TRY301 (reads best)
            key_files.append((key_name, KeyFile.read(transport.read("keys", key_name, 0, _MAX_FILE))))
        except Unreadable as error:
            damage.append(Skipped(f"keys/{key_name}", error.reason))
    if not key_files:
        problem = f"none of its key files can be read ({damage[-1].reason})"
        raise RepositoryDamaged(name, problem, "Restore keys/ from a copy, or read a copy of all of it.")
    secret = password if isinstance(password, str) else password()
    for key_name, key_file in key_files[:_MAX_KEYS]:
        try:
            key = key_file.unlock(secret)
        except Unreadable as error:
            damage.append(Skipped(f"keys/{key_name}", error.reason))
            continue
        if key is not None:
            return key
    raise WrongPassword(name, "the password opens none of its keys", "Check the password (RESTIC_PASSWORD).")
