"""What stands before, between and behind the frames of a sound file: ID3, APE and Lyrics3 tags, padding."""

from vigie.model import Blob

_PADDING = 512
_TAGS = 4096


def id3v2(data: bytes, index: int) -> int:
    """Length of the ID3v2 tag at an index (ID3v2.4.0, 3.1), or 0."""
    head = data[index : index + 10]
    if len(head) < 10 or head[:3] != b"ID3" or head[3] not in (2, 3, 4) or head[4] > 0x10 or head[5] & 0x0F:
        return 0
    if max(head[6:]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def tag(data: bytes, index: int) -> int:
    """Length of the tag or of the zeros at an index, or 0."""
    head = data[index : index + 32]
    if head.startswith(b"TAG"):
        return 128
    if head.startswith(b"APETAGEX"):
        # APEv2: the size counts everything but a header; a header says so in its flags (bit 29).
        return min(int.from_bytes(head[12:16], "little") + 32, 1 << 28)
    if head.startswith(b"LYRICSBEGIN"):
        stop = max(data.find(b"LYRICS200", index), data.find(b"LYRICSEND", index))
        return stop + 9 - index if stop > 0 else 0
    if head.startswith(b"ID3"):
        return id3v2(data, index)
    return zeros(data, index)


def ahead(blob: Blob) -> int:
    """Bytes of the tags and zeros that a blob begins with, if they are not endless."""
    offset = 0
    for _ in range(_TAGS):
        more = tag(blob.at(offset, 4096), 0)
        if not more:
            break
        offset += more
    return min(offset, blob.size)


def zeros(data: bytes, index: int) -> int:
    """How many zeros stand at an index, if they are 16 or more."""
    if data[index : index + 16] != bytes(16):
        return 0
    chunk = data[index : index + _PADDING]
    return len(chunk) - len(chunk.lstrip(b"\0"))
