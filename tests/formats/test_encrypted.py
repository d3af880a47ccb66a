"""Containers locked on purpose are known by strict headers; nothing random passes for one."""

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.formats.archive.encrypted import FORMATS, OLE2_MAGIC
from vigie.formats.archive.openpgp import is_message
from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.judge import judge
from vigie.model import Kind, State

BY_NAME = {one.name: one for one in FORMATS}
NOISE = random.Random(9).randbytes(6000)

SAMPLES = {
    "age": b"age-encryption.org/v1\n-> X25519 abc\n--- mac\n" + NOISE,
    "age-armour": b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n",
    "openpgp-armour": b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n",
    "ansible-vault": b"$ANSIBLE_VAULT;1.1;AES256\n6132\n",
    "ecryptfs": bytes(8) + struct.pack(">LLL", 0x11223344, 0x11223344 ^ 0x3C81B7F5, 0x0300000C) + NOISE,
    "bitlocker": b"\xeb\x58\x90-FVE-FS-" + NOISE,
    "openssl-enc": b"Salted__" + NOISE,
    "ooxml-encrypted": OLE2_MAGIC + bytes(600) + "EncryptedPackage".encode("utf-16-le") + NOISE,
    # SKESK version 4, AES-256, iterated and salted SHA-256; then an encrypted data packet.
    "openpgp": b"\x8c\x0d\x04\x09\x03\x08" + bytes(8) + b"\xff" + b"\xd2\xff\x00\x00\x10\x00" + NOISE,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_container_is_known(name: str) -> None:
    data = SAMPLES[name]
    assert [one.name for one in FORMATS if one.recognises(data[:HEAD])] == [name]
    anatomy = BY_NAME[name].dissect(Bytes(data))
    assert anatomy.format == name
    assert anatomy.flaws == ()
    text = name in ("age-armour", "openpgp-armour", "ansible-vault")
    kinds = [Kind.STRUCTURED, Kind.OPAQUE] if name == "age" else [Kind.STRUCTURED if text else Kind.OPAQUE]
    assert [r.kind for r in anatomy.regions] == kinds
    with pytest.raises(Malformed):
        BY_NAME[name].dissect(Bytes(NOISE))


def test_a_name_promises_nothing() -> None:
    form = BY_NAME["encrypted"]
    assert not form.recognises(NOISE)
    assert form.dissect(Bytes(NOISE)).regions[0].kind is Kind.OPAQUE
    assert form.dissect(Bytes(b"")).regions == ()
    assert "enc" in form.weak_suffixes


def number(bits: int) -> bytes:
    return bits.to_bytes(2, "big") + random.Random(bits).randbytes((bits + 7) // 8)


def old(tag: int, body: bytes) -> bytes:
    return bytes([0x81 | tag << 2]) + len(body).to_bytes(2, "big") + body


def new(tag: int, body: bytes) -> bytes:
    size = len(body)
    length = bytes([size]) if size < 192 else bytes([(size - 192 >> 8) + 192, size - 192 & 255])
    return bytes([0xC0 | tag]) + length + body


ENCRYPTED_DATA = b"\xd2\xff\x00\x00\x10\x00\x01"
ID = bytes(range(8))


@pytest.mark.parametrize(
    "first",
    [
        old(1, b"\x03" + ID + b"\x01" + number(2048)),
        new(1, b"\x03" + ID + b"\x01" + number(4096)),
        old(1, b"\x03" + ID + b"\x10" + number(2046) + number(2047)),
        new(1, b"\x03" + ID + b"\x12" + number(263) + b"\x30" + bytes(48)),
        new(1, b"\x03" + ID + b"\x19" + bytes(73)),
        new(1, b"\x06\x21\x06" + bytes(32) + b"\x19" + bytes(73)),
        new(3, b"\x04\x09\x00\x08"),
        new(3, b"\x04\x09\x01\x08" + ID),
        new(3, b"\x04\x09\x04" + bytes(19)),
        new(3, b"\x05\x09\x02\x03" + bytes(40)),
        new(3, b"\x06\x1d\x09\x02\x0b\x03" + bytes(60)),
    ],
)
def test_session_keys_of_every_kind(first: bytes) -> None:
    assert is_message((first + ENCRYPTED_DATA + NOISE)[:HEAD])
    assert is_message((first + first + NOISE)[:HEAD])
    assert not is_message((first + NOISE.replace(b"\xd2", b"\x00", 1)[:0] + b"\x00" * 90)[:HEAD])


@pytest.mark.parametrize(
    "first",
    [
        old(1, b"\x03" + ID + b"\x01" + number(2048) + b"\0"),
        old(1, b"\x02" + ID + b"\x01" + number(2048)),
        old(1, b"\x03" + ID + b"\x63" + number(2048)),
        old(1, b"\x03"),
        old(3, b"\x04\x63\x03\x08" + bytes(9)),
        old(3, b"\x04\x09\x02\x08" + bytes(9)),
        old(3, b"\x07\x09\x03\x08" + bytes(9)),
        old(3, b"\x04"),
        old(2, b"\x04\x09\x03\x08" + bytes(9)),
        b"\x87" + bytes(20),
        b"\xc1\xff" + bytes(20),
    ],
)
def test_what_only_looks_like_one(first: bytes) -> None:
    assert not is_message(first + ENCRYPTED_DATA + NOISE[:200])


def test_random_bytes_are_no_message_even_behind_a_right_tag() -> None:
    chooser = random.Random(4)
    tags = (0x84, 0x85, 0x8C, 0x8D, 0xC1, 0xC3)
    heads = (bytes([chooser.choice(tags)]) + chooser.randbytes(HEAD - 1) for _ in range(20000))
    assert sum(map(is_message, heads)) <= 20


@pytest.fixture
def gpg_home(tmp_path: Path) -> Iterator[Path]:
    """A home folder of gpg's own, whose agent is ended afterwards."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    yield home
    if ends := shutil.which("gpgconf"):
        subprocess.run(
            [ends, "--homedir", str(home), "--kill", "all"], check=False, capture_output=True, timeout=60
        )


def test_gpg_itself(tmp_path: Path, gpg_home: Path) -> None:
    gpg = shutil.which("gpg")
    if not gpg:
        pytest.skip("needs gpg")
    plain = tmp_path / "a.txt"
    plain.write_bytes(b"text " * 9000)
    for armour in (False, True):
        target = tmp_path / f"a{armour}.gpg"
        command = [
            gpg,
            "--homedir",
            str(gpg_home),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "x",
        ]
        command += ["--symmetric", *(["--armor"] if armour else []), "-o", str(target), str(plain)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        data = target.read_bytes()
        expected = "openpgp-armour" if armour else "openpgp"
        assert [one.name for one in FORMATS if one.recognises(data[:HEAD])] == [expected]


def test_an_age_header_without_end() -> None:
    for data in (b"age-encryption.org/v1\n-> X25519 abc\n" + NOISE, b"age-encryption.org/v1\n"):
        with pytest.raises(Malformed) as broken:
            BY_NAME["age"].dissect(Bytes(data))
        assert broken.value.offset <= len(data)


def test_a_dump_with_columns_that_pgcrypto_locked_is_text() -> None:
    chooser = random.Random(2)
    rows = "".join(f"{n}\t\\\\xc30d04070302{chooser.randbytes(90).hex()}\n" for n in range(400))
    dump = f"COPY public.patient (id, secret) FROM stdin;\n{rows}\\.\n".encode()
    assert judge(Bytes(dump), "dump.sql").state is State.INTACT
    assert judge(Bytes(dump), "dump.txt").state is State.INTACT


def test_a_container_without_a_header_stays_unknown() -> None:
    assert judge(Bytes(NOISE), "volume.hc").state is State.UNKNOWN
    assert judge(Bytes(NOISE), "0A1B.c9r").state is State.UNKNOWN
