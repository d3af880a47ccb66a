"""What a document maker hands over: where the file goes, its bytes, and when it was written."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A file before it is on disk. `path` is relative to the practice, with `/`."""

    path: str
    data: bytes
    when: datetime
    """Local time of writing: becomes the file's mtime."""
