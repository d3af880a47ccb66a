"""PostgreSQL's pg_control: without its few hundred bytes a cluster does not start. Its checksum is tested."""

import struct

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import crc32c
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_MOST = 512
"""It fits a sector (catalog/pg_control.h)."""
_STOPS = range(160, _MOST - 3, 4)
_HEAD = struct.Struct("<QLL")


def recognises(head: bytes) -> bool:
    """System identifier, version of the file, catalogue version (a date and a digit)."""
    if len(head) < _MOST:
        return False
    system, version, catalogue = _HEAD.unpack_from(head)
    dated = 2000 < catalogue // 100000 < 2100 and 1 <= catalogue // 1000 % 100 <= 12
    return bool(system) and 800 <= version <= 3000 and dated and not any(head[_MOST:4096])


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """The control file: one checksum (CRC-32C since 9.5), where it stands depends on the version.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    data = blob.at(0, 8192)
    if not recognises(data[:4096]):
        raise Malformed(0, "no header of a control file")
    # The nonce for authentication before the checksum is random: what stands there is opaque.
    regions = (
        Region(0, 160, Kind.STRUCTURED, "versions and checkpoint"),
        Region(160, _MOST, Kind.OPAQUE, "settings"),
    )
    sums = crc32c.prefixes(data[:_MOST], _STOPS)
    if any(
        data[stop : stop + 4] == value.to_bytes(4, "little") for stop, value in zip(_STOPS, sums, strict=True)
    ):
        return Anatomy("postgres-control", regions, (), _MOST)
    flaw = Flaw(0, _MOST, "the checksum does not match", checksum=True)
    return Anatomy("postgres-control", regions, (flaw,))


FORMAT = Format(
    name="postgres-control",
    title="PostgreSQL control file",
    specification="PostgreSQL catalog/pg_control.h",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
)
