import base64
import hashlib
import json
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.sources.restic.crypto import OVERHEAD, Key, master_key
from vigie.sources.restic.keys import KeyFile

KEY = Key(bytes(range(32)), bytes(range(16)), bytes(range(16, 32)))


def naive_poly1305_aes(key: Key, nonce: bytes, message: bytes) -> bytes:
    """Poly1305-AES as the paper defines it (section 2), with whole numbers."""
    r = int.from_bytes(key.r, "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for start in range(0, len(message), 16):
        total = (total + int.from_bytes(message[start : start + 16] + b"\1", "little")) * r % (2**130 - 5)
    pad = Cipher(AES(key.k), ECB()).encryptor().update(nonce)
    return ((total + int.from_bytes(pad, "little")) % 2**128).to_bytes(16, "little")


def seal(key: Key, plain: bytes, nonce: bytes) -> bytes:
    body = Cipher(AES(key.encrypt), CTR(nonce)).encryptor().update(plain)
    return nonce + body + naive_poly1305_aes(key, nonce, body)


@pytest.mark.parametrize(
    ("message", "r", "k", "nonce", "tag"),
    # D. J. Bernstein, "The Poly1305-AES message-authentication code", 2005, appendix B, first two examples.
    [
        (
            "f3f6",
            "851fc40c3467ac0be05cc20404f3f700",
            "ec074c835580741701425b623235add6",
            "fb447350c4e868c52ac3275cf9d4327e",
            "f4c633c3044fc145f84f335cb81953de",
        ),
        (
            "",
            "a0f3080000f46400d0c7e9076c834403",
            "75deaa25c09f208e1dc4ce6b5cad3fbf",
            "61ee09218d29b0aaed7e154a2c5509cc",
            "dd3fab2251f11ac759f0887129cc2ee7",
        ),
    ],
)
def test_the_authenticator_is_that_of_the_paper(message: str, r: str, k: str, nonce: str, tag: str) -> None:
    key = Key(bytes(32), bytes.fromhex(k), bytes.fromhex(r))
    found = key.authenticator(bytes.fromhex(nonce), bytes.fromhex(message)).finalize()
    assert found.hex() == tag
    assert naive_poly1305_aes(key, bytes.fromhex(nonce), bytes.fromhex(message)).hex() == tag


@settings(max_examples=100, deadline=None)
@given(plain=st.binary(max_size=200), nonce=st.binary(min_size=16, max_size=16))
def test_what_was_sealed_opens(plain: bytes, nonce: bytes) -> None:
    assert KEY.open(seal(KEY, plain, nonce)) == plain


@settings(max_examples=200, deadline=None)
@given(plain=st.binary(max_size=100), data=st.data())
def test_any_changed_bit_breaks_the_seal(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, plain, bytes(16)))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable, match="seal"):
        KEY.open(bytes(sealed))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_noise_never_opens(noise: bytes) -> None:
    with pytest.raises(Unreadable):
        KEY.open(noise)


def test_overhead_is_what_sealing_adds() -> None:
    assert len(seal(KEY, b"12345", os.urandom(16))) == 5 + OVERHEAD


def test_a_key_does_not_show_itself() -> None:
    assert repr(KEY) == "Key()"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


MASTER = {"mac": {"k": b64(KEY.k), "r": b64(KEY.r)}, "encrypt": b64(KEY.encrypt)}


def test_the_master_key_is_read() -> None:
    assert master_key(json.dumps(MASTER).encode()) == KEY


@pytest.mark.parametrize(
    "change",
    [
        {"mac": None},
        {"encrypt": None},
        {"encrypt": "***"},
        {"encrypt": b64(bytes(31))},
        {"mac": {"k": b64(KEY.k)}},
        {"encrypt": "é"},
    ],
)
def test_half_a_master_key_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        master_key(json.dumps(MASTER | change).encode())


SALT = bytes(64)


def key_file(**change: object) -> bytes:
    derived = hashlib.scrypt(b"pw", salt=SALT, n=16, r=1, p=1, dklen=64)
    inner = seal(Key(derived[:32], derived[32:48], derived[48:]), json.dumps(MASTER).encode(), bytes(16))
    document = {"kdf": "scrypt", "N": 16, "r": 1, "p": 1, "salt": b64(SALT), "data": b64(inner)} | change
    return json.dumps(document).encode()


def test_the_password_unlocks_the_master_key() -> None:
    read = KeyFile.read(key_file())
    assert read.unlock("pw") == KEY
    assert read.unlock("PW") is None
    assert read.unlock("") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kdf": "argon2"}, "not scrypt"),
        ({"N": "16"}, "missing"),
        ({"N": 17}, "impossible"),
        ({"N": 1}, "impossible"),
        ({"N": -16}, "impossible"),
        ({"p": 0}, "impossible"),
        ({"N": 1 << 21}, "more memory or time"),
        ({"r": 33}, "more memory or time"),
        ({"N": 1 << 20, "r": 32}, "more memory or time"),
        ({"p": 1 << 30}, "more memory or time"),
        ({"N": 2, "p": 1 << 23}, "more memory or time"),
        ({"N": 1 << 18, "r": 8, "p": 64}, "more memory or time"),
        ({"salt": None}, "missing"),
        ({"data": "%"}, "base64"),
    ],
)
def test_a_key_file_that_asks_too_much_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        KeyFile.read(key_file(**change))


def test_the_largest_parameters_we_take_are_not_refused_by_the_library() -> None:
    read = KeyFile.read(key_file(N=1 << 14, r=32, p=3))
    assert read.unlock("pw") is None
