"""Files that somebody locked on purpose: known by their headers, and then nothing inside can be told."""

from collections.abc import Callable

from vigie.formats.archive.openpgp import is_message
from vigie.formats.contract import EFFORT, Dissect, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Kind, Region

OLE2_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
NOTE = "encrypted on purpose: what is inside cannot be told"
_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_REACH = 64 * 1024


def _opaque(name: str, what: str) -> Dissect:
    def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        regions = (Region(0, blob.size, Kind.OPAQUE, what),) if blob.size else ()
        return Anatomy(name, regions, notes=(NOTE,))

    return dissect


def _armoured(name: str, what: str) -> Dissect:
    """Ciphertext written as text: anything but text in it is foreign."""

    def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        return Anatomy(name, (Region(0, blob.size, Kind.STRUCTURED, what, Charset.UTF8),), notes=(NOTE,))

    return dissect


def _checked(recognises: Callable[[bytes], bool], dissect: Dissect, what: str) -> Dissect:
    """`dissect`, for a file that must have the header `recognises` knows, whatever its name promised."""

    def checked(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        if not recognises(blob.at(0, 4096)):
            raise Malformed(0, f"no header of {what}")
        return dissect(blob)

    return checked


def _format(
    name: str,
    title: str,
    where: str,
    recognises: Callable[[bytes], bool],
    suffixes: tuple[str, ...] = (),
    *,
    armoured: bool = False,
) -> Format:
    simple = (_armoured if armoured else _opaque)(name, title)
    checked = _checked(recognises, simple, title)
    return Format(name, title, where, suffixes, recognises, checked, plain=armoured)


def _starts(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _bitlocker(head: bytes) -> bool:
    return head[3:11] == b"-FVE-FS-"


def _ecryptfs(head: bytes) -> bool:
    """A marker that is random, and the same with a constant added in (kernel, ecryptfs_validate_marker)."""
    first, second = int.from_bytes(head[8:12], "big"), int.from_bytes(head[12:16], "big")
    return len(head) >= 20 and first ^ second == 0x3C81B7F5 and not any(head[:2]) and head[16] <= 3


def _package(head: bytes) -> bool:
    return head.startswith(OLE2_MAGIC) and _PACKAGE in head


def _dissect_age(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """A header of text lines that ends with its authenticator, then the payload (age v1, "Header").

    Raises:
        Malformed: there is no header, or it has no end.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _REACH)
    if not head.startswith(b"age-encryption.org/v1\n"):
        raise Malformed(0, "no header of age file")
    mac = head.find(b"\n--- ")
    end = head.find(b"\n", mac + 1) + 1 if mac >= 0 else 0
    if not end:
        raise Malformed(min(22, blob.size), "the header of the age file has no end")
    regions = [Region(0, end, Kind.STRUCTURED, "header", Charset.UTF8)]
    if end < blob.size:
        regions.append(Region(end, blob.size, Kind.OPAQUE, "payload"))
    return Anatomy("age", tuple(regions), notes=(NOTE,))


def dissect_package(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """An Office file under a password: an OLE2 file with a stream "EncryptedPackage" (MS-OFFCRYPTO 2.3.4.4).

    Raises:
        Malformed: no such stream is named.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _REACH)
    if not head.startswith(OLE2_MAGIC):
        raise Malformed(0, "no OLE2 header")
    # MS-CFB 2.2: the directory starts in the sector whose number is at 48; it may be anywhere.
    size = 1 << min(int.from_bytes(head[30:32], "little"), 12)
    directory = blob.at((int.from_bytes(head[48:52], "little") + 1) * size, 16 * size)
    tail = blob.at(max(0, blob.size - _REACH), _REACH)
    if not any(_PACKAGE in part for part in (head, directory, tail)):
        raise Malformed(0, "an OLE2 file without an encrypted package")
    return _opaque("ooxml-encrypted", "encrypted Office document")(blob)


def _by_name(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Without a header to look at, nothing can be told."""
    return _opaque("encrypted", "a container without a header that can be known")(blob)


FORMATS = (
    Format(
        name="ooxml-encrypted",
        title="Office document under a password",
        specification="MS-OFFCRYPTO 2.3",
        suffixes=(),
        recognises=_package,
        dissect=dissect_package,
    ),
    _format("openpgp", "OpenPGP message", "RFC 9580, 5.1 and 5.3", is_message),
    _format(
        "openpgp-armour",
        "OpenPGP message in ASCII",
        "RFC 9580, 6.2",
        _starts(b"-----BEGIN PGP MESSAGE-----"),
        armoured=True,
    ),
    Format(
        name="age",
        title="age file",
        specification="age-encryption.org/v1",
        suffixes=("age",),
        recognises=_starts(b"age-encryption.org/v1\n"),
        dissect=_dissect_age,
        plain=True,
    ),
    _format(
        "age-armour",
        "age file in ASCII",
        "age-encryption.org/v1",
        _starts(b"-----BEGIN AGE ENCRYPTED FILE-----"),
        armoured=True,
    ),
    _format(
        "ansible-vault",
        "Ansible vault",
        "ansible-vault format 1.2",
        _starts(b"$ANSIBLE_VAULT;1."),
        armoured=True,
    ),
    _format("bitlocker", "BitLocker volume", "libbde, volume header", _bitlocker),
    _format("ecryptfs", "eCryptfs file", "Linux, fs/ecryptfs/crypto.c", _ecryptfs),
    _format("openssl-enc", "file of openssl enc", "openssl-enc(1)", _starts(b"Salted__")),
    Format(
        name="encrypted",
        title="encrypted container, by its name only",
        specification="none: these have no header, or headers that differ",
        suffixes=("hc", "tc", "p7m", "p12", "pfx", "gpg", "pgp", "axx", "cpt", "gpgtar", "c9r", "c9s"),
        recognises=lambda _: False,
        dissect=_by_name,
        weak_suffixes=("enc", "aes", "asc", "key", "vault", "crypt", "crypted"),
    ),
)
