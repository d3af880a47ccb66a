"""Office Open XML (ECMA-376 part 2): Word, Excel and PowerPoint files are ZIP files with known members."""

import struct
from collections.abc import Callable

from vigie.formats.archive import encrypted
from vigie.formats.archive.zip import LOCAL, LOCAL_MAGIC, survey
from vigie.formats.contract import EFFORT, Dissect, Format
from vigie.model import Anatomy, Blob

CONTENT_TYPES = "[Content_Types].xml"
_LENGTHS = struct.Struct("<HH")


def _names(head: bytes) -> list[bytes]:
    """Names of the members whose local headers stand in `head`; none where it does not start with one."""
    found = []
    place = 0 if head.startswith(LOCAL_MAGIC) else -1
    while place >= 0 and place + LOCAL.size <= len(head):
        name_length, _ = _LENGTHS.unpack_from(head, place + 26)
        found.append(head[place + LOCAL.size : place + LOCAL.size + name_length])
        place = head.find(LOCAL_MAGIC, place + 4)
    return found


def _recogniser(folder: bytes) -> Callable[[bytes], bool]:
    def recognises(head: bytes) -> bool:
        """A ZIP whose first members show the part folder of this application (part 1, 8)."""
        return any(name.startswith(folder) for name in _names(head))

    return recognises


def _dissector(name: str, folder: str) -> Dissect:
    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        """The anatomy of the ZIP; a file under a password is an OLE2 file instead.

        Raises:
            Malformed: neither a ZIP nor an encrypted package.
            Unreadable: the blob cannot be read.
        """
        if blob.at(0, 8) == encrypted.OLE2_MAGIC:
            return encrypted.dissect_package(blob)
        found = survey(blob, effort)
        if CONTENT_TYPES not in found.names:
            found.note(f"no {CONTENT_TYPES}")
        if not any(member.startswith(folder) for member in found.names):
            found.note(f"no {folder} part")
        return found.anatomy(name)

    return dissect


def _format(name: str, title: str, folder: str, suffixes: tuple[str, ...]) -> Format:
    return Format(
        name=name,
        title=title,
        specification="ECMA-376 part 2 (OPC) 7, part 1, 8",
        suffixes=suffixes,
        recognises=_recogniser(folder.encode()),
        dissect=_dissector(name, folder),
    )


FORMATS = (
    _format("docx", "Word document", "word/", ("docx", "docm", "dotx", "dotm")),
    _format("xlsx", "Excel workbook", "xl/", ("xlsx", "xlsm", "xltx", "xltm", "xlsb")),
    _format("pptx", "PowerPoint presentation", "ppt/", ("pptx", "pptm", "ppsx", "ppsm", "potx")),
)
