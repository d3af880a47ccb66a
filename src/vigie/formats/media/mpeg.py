"""MPEG program streams (ISO/IEC 13818-1, 2.5; 11172-1) and transport streams (13818-1, 2.4): VOB, MPG, TS.

A program stream is a chain of packs and packets that say how long they are; a transport stream has a packet
of 188 bytes after the other, each beginning with 47 (192 on Blu-ray discs and cameras, with a time in front).
"""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.chain import Chain, Grammar
from vigie.formats.media.findings import Findings
from vigie.formats.media.tags import zeros
from vigie.model import Anatomy, Blob, Kind

PACKETS = 5
"""Packets in a row that make a transport stream."""
_PREFIX = b"\0\0\1"
_STRIDES = ((188, 0), (192, 4), (204, 0))


def pack_length(data: bytes, index: int) -> int:
    """Bytes of the pack header, packet or end code at an index, or 0 (13818-1, 2.5.3; 11172-1, 2.4.3)."""
    head = data[index : index + 14]
    if len(head) < 4 or head[:3] != _PREFIX or head[3] < 0xB9:
        return 0
    if head[3] == 0xB9:
        return 4
    if len(head) < 14:
        return 0
    if head[3] != 0xBA:
        return 6 + int.from_bytes(head[4:6], "big")
    if head[4] >> 6 == 1:
        return 14 + (head[13] & 7) if head[4] & 4 and head[6] & 4 and head[8] & 4 else 0
    return 12 if head[4] >> 4 == 2 and head[4] & head[6] & head[8] & 1 else 0


def _stuffing(data: bytes, index: int) -> int:
    """Zeros between packets, but for the two that the next start code begins with."""
    count = zeros(data, index)
    return count - 2 if data[index + count : index + count + 1] == b"\1" else count


_PACKS = Grammar(
    re.compile(rb"\x00\x00\x01[\xba\xbd\xc0-\xef]"),
    pack_length,
    65541,
    _stuffing,
    "packs and packets",
    lenient=False,
)


def _packets(stride: int, ahead: int) -> Grammar:
    def length(data: bytes, index: int) -> int:
        head = data[index + ahead : index + ahead + 4]
        # No transport error, and a payload or an adaptation field (2.4.3.2).
        return stride if len(head) == 4 and head[0] == 0x47 and head[1] < 0x80 and head[3] & 0x30 else 0

    sync = re.compile(b"." * ahead + b"\x47[\0-\x7f]", re.DOTALL)
    return Grammar(sync, length, stride, zeros, "transport packets")


def _stride(head: bytes) -> Grammar | None:
    for stride, ahead in _STRIDES:
        grammar = _packets(stride, ahead)
        count = min(len(head) // stride, 20)
        if count >= PACKETS and all(grammar.length(head, index * stride) for index in range(count)):
            return grammar
    return None


def recognises_program(head: bytes) -> bool:
    """A pack header, and a packet or another pack behind it."""
    first = pack_length(head, 0) if head[3:4] == b"\xba" else 0
    return first > 0 and head[first : first + 3] == _PREFIX and head[first + 3 : first + 4] >= b"\xba"


def recognises_transport(head: bytes) -> bool:
    """Packets of one length, as many as the head shows."""
    return b"\x47" in (head[:1], head[4:5]) and _stride(head) is not None


def recognises_video(head: bytes) -> bool:
    """A sequence header of sane size and rate, and its marker bit (13818-2, 6.2.2.1)."""
    sane = head[:4] == _PREFIX + b"\xb3" and len(head) >= 12
    return sane and 0 < head[7] >> 4 < 15 and 0 < head[7] & 15 < 9 and bool(head[10] & 0x20)


def dissect_program(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Packs and packets, or a bare video stream, of which nothing is tested.

    Raises:
        Malformed: neither begins here.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    findings = Findings(blob.size)
    if recognises_video(head):
        findings.region(0, 12, Kind.STRUCTURED, "sequence header")
        findings.region(12, blob.size, Kind.CODED, "video")
        findings.note("video without packs: not tested")
    elif recognises_program(head):
        Chain(blob, _PACKS, findings).run(0, blob.size, effort)
    else:
        raise Malformed(0, "no MPEG pack")
    return findings.anatomy("mpeg")


def dissect_transport(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Packets to the end.

    Raises:
        Malformed: no run of packets begins here.
        Unreadable: the blob cannot be read.
    """
    grammar = _stride(blob.at(0, 4096))
    if grammar is None:
        raise Malformed(0, "no run of transport packets")
    findings = Findings(blob.size)
    Chain(blob, grammar, findings).run(0, blob.size, effort)
    return findings.anatomy("mpegts")


FORMATS = (
    Format(
        name="mpeg",
        title="MPEG film",
        specification="ISO/IEC 13818-1 2.5; ISO/IEC 11172-1 2.4",
        suffixes=("mpg", "mpeg", "vob", "m2p", "m2v", "m1v"),
        recognises=lambda head: recognises_program(head) or recognises_video(head),
        dissect=dissect_program,
    ),
    Format(
        name="mpegts",
        title="MPEG transport stream",
        specification="ISO/IEC 13818-1 2.4",
        suffixes=("m2ts", "m2t"),
        recognises=recognises_transport,
        dissect=dissect_transport,
        weak_suffixes=("ts", "mts"),
    ),
)
