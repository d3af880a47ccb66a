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
    plain = (_armoured if armoured else _opaque)(name, title)
    return Format(name, title, where, suffixes, recognises, _checked(recognises, plain, title))


def _starts(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _keepass(head: bytes) -> bool:
    return head[:4] == b"\x03\xd9\xa2\x9a" and head[4:5] in b"\x65\x66\x67" and head[5:8] == b"\xfb\x4b\xb5"


def _luks(head: bytes) -> bool:
    return head.startswith(b"LUKS\xba\xbe\x00") and head[7:8] in b"\x01\x02" and len(head) > 7


def _bitlocker(head: bytes) -> bool:
    return head[3:11] == b"-FVE-FS-"


def _package(head: bytes) -> bool:
    return head.startswith(OLE2_MAGIC) and _PACKAGE in head


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
    _format("age", "age file", "age-encryption.org/v1", _starts(b"age-encryption.org/v1\n"), ("age",)),
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
    _format("keepass", "KeePass database", "KDBX 4, outer header", _keepass, ("kdbx", "kdb")),
    _format("luks", "LUKS volume", "LUKS1 and LUKS2 on-disk format", _luks),
    _format("bitlocker", "BitLocker volume", "libbde, volume header", _bitlocker),
    _format("openssl-enc", "file of openssl enc", "openssl-enc(1)", _starts(b"Salted__")),
    Format(
        name="encrypted",
        title="encrypted container, by its name only",
        specification="none: these have no header, or headers that differ",
        suffixes=("hc", "tc", "p7m", "p12", "pfx", "gpg", "pgp", "axx", "cpt", "gpgtar"),
        recognises=lambda _: False,
        dissect=_by_name,
        weak_suffixes=("enc", "aes", "asc", "key", "vault", "crypt", "crypted"),
    ),
)
