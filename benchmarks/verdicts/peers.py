"""The rules that peers published, as small baselines on the same files.

Each is the rule of a paper for *one file at rest*, not the product: DaD and CryptoDrop sit in the kernel, see
every write as it happens and add up over many files, which makes them stronger than what stands here. What
stands here is what their test says when it is asked the question that `vigie check` is asked.
"""

import contextlib
import ctypes
import ctypes.util
import importlib
import importlib.metadata
import importlib.resources
import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUFFER = 4096
"""Bytes of one write, for rules that look at writes."""
WINDOW = 50
"""Buffers that DaD's sliding median spans."""
CRITICAL = 293.25
"""The chi-square that random bytes exceed once in twenty, with 255 degrees of freedom."""
DELTA = 0.1
"""Bits a byte that entropy must rise by (CryptoDrop)."""
DISSIMILAR = 5
"""Percent of the features of the file before, below which nothing of it is said to be left."""
FEATURE = 64
"""Bytes of one feature (sdhash's)."""
LOOKED_AT = 1 << 20
"""Bytes of a file that features are taken of."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule is shown: a file, its name, and the version before (the same, for a healthy file)."""

    name: str
    data: bytes
    before: bytes


Rule = Callable[[Seen], bool]


def counts(data: bytes) -> NDArray[np.int64]:
    """How often each byte stands in `data`: shape (256,)."""
    return np.bincount(np.frombuffer(data, np.uint8), minlength=256)


def entropy(data: bytes) -> float:
    """Shannon's entropy, bits a byte."""
    if not data:
        return 0.0
    found = counts(data)
    shares = found[found > 0] / len(data)
    return float(-(shares * np.log2(shares)).sum())


def entropy_high(seen: Seen) -> bool:
    """Entropy of the file at least 7.9 bits a byte: the folklore threshold of many tools."""
    return entropy(seen.data) >= 7.9


def entropy_fitting(seen: Seen) -> bool:
    """The same, as high as chance permits for the size: 8 minus twice the bias of n random bytes.

    Expected entropy of n random bytes: 8 - 255 / (2 n ln 2) (Miller 1955), 7.989 for 16 KiB. No fixed
    threshold fits both small files (which never reach 7.9 below 1.8 KiB) and large ones.
    """
    size = len(seen.data)
    return size >= 256 and entropy(seen.data) >= 8 - 2 * 255 / (2 * size * math.log(2))


def dad(seen: Seen) -> bool:
    """DaD: Palisse et al., "Data Aware Defense (DaD)", NordSec 2017, section 4.

    Chi-square of each buffer written against uniform bytes; alarm when the median of the last 50 falls below
    a threshold. Here the file is written in buffers of 4 KiB, and the threshold is the 5 % critical value of
    the test, since the paper's own was fitted to its machine.
    """
    blocks = len(seen.data) // BUFFER
    whole = np.frombuffer(seen.data, np.uint8, blocks * BUFFER).reshape(blocks, BUFFER)
    if not blocks:
        whole = np.frombuffer(seen.data, np.uint8).reshape(1, -1)
    chi = np.array([_chi_square(row) for row in whole])
    if chi.size <= WINDOW:
        return bool(np.median(chi) < CRITICAL)
    return bool((np.median(np.lib.stride_tricks.sliding_window_view(chi, WINDOW), axis=1) < CRITICAL).any())


def _chi_square(block: NDArray[np.uint8]) -> float:
    expected = block.size / 256
    return float(((np.bincount(block, minlength=256) - expected) ** 2).sum() / expected)


class Magic:
    """libmagic, which `file` uses and CryptoDrop used; without it, the first four bytes stand in."""

    def __init__(self) -> None:
        self._cookie: Any = None
        found = ctypes.util.find_library("magic")
        if found:
            self._library = ctypes.CDLL(found)
            self._library.magic_open.restype = ctypes.c_void_p
            self._library.magic_load.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
            self._library.magic_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
            self._library.magic_buffer.restype = ctypes.c_char_p
            self._cookie = self._library.magic_open(0x10)  # MAGIC_MIME_TYPE
            self._library.magic_load(self._cookie, None)

    @property
    def words(self) -> str:
        """What stands behind it."""
        return "libmagic" if self._cookie else "the first four bytes"

    def kind(self, data: bytes) -> bytes:
        """The MIME type of a head."""
        head = data[: 256 << 10]
        return (
            (self._library.magic_buffer(self._cookie, head, len(head)) or b"") if self._cookie else head[:4]
        )


def left(before: bytes, after: bytes) -> float:
    """Percent of the features of `before` that are found in `after`, wherever they stand now.

    Stands in for sdhash (Roussev 2010), which no package here provides: as there, features are 64 bytes
    long and picked by content (one in 16 places, by the value of the bytes). Of a large file, its first MiB.
    """
    old, new = _features(before), _features(after)
    return 100 * len(old & new) / len(old) if old else 100.0


def _features(data: bytes) -> set[int]:
    values = np.frombuffer(data[:LOOKED_AT], np.uint8).astype(np.uint32)
    if values.size < FEATURE:
        return {zlib.crc32(data)}
    rolling = (values[:-3] * 0x9E3779B1) ^ (values[1:-2] * 0x85EBCA6B)
    rolling ^= (values[2:-1] * 0xC2B2AE35) ^ values[3:]
    places = np.flatnonzero((rolling >> 11) % 16 == 0)
    places = places[places + FEATURE <= values.size]
    return {zlib.crc32(data[place : place + FEATURE]) for place in places.tolist()}


class CryptoDrop:
    """CryptoDrop: Scaife et al., "CryptoLock (and Drop It)", ICDCS 2016, section III: three indicators.

    File type changed (section III-A), similarity lost (III-B), entropy risen by 0.1 (III-C). "Union
    indication" is all three. It is given the version before, which no other rule here gets.
    """

    def __init__(self, magic: Magic, least: int) -> None:
        self._magic = magic
        self._least = least

    def __call__(self, seen: Seen) -> bool:
        """Whether `least` of the indicators are there."""
        if seen.data is seen.before:
            return False
        changed = self._magic.kind(seen.before) != self._magic.kind(seen.data)
        risen = entropy(seen.data) - entropy(seen.before) >= DELTA
        if changed + risen + 1 < self._least or changed + risen >= self._least:
            return changed + risen >= self._least
        return changed + risen + (left(seen.before, seen.data) < DISSIMILAR) >= self._least


class Magika:
    """Magika (Fratantonio et al., ICSE 2025) as a type checker: what it tells does not go with the ending.

    Each of its content types lists its endings. Where it lists the ending of the file under other types
    only, or tells "unknown", the file is flagged; of text told as another kind of text nothing is made, and
    of an ending that it has never heard of only "unknown".
    """

    def __init__(self) -> None:
        self._model: Any = importlib.import_module("magika").Magika()
        listed = importlib.resources.files("magika") / "config" / "content_types_kb.min.json"
        types = json.loads(listed.read_text()).values()
        self._endings = {ending for kind in types for ending in kind["extensions"]}

    def __call__(self, seen: Seen) -> bool:
        """Whether the content is not what the name says."""
        told = self._model.identify_bytes(seen.data).output
        if told.label == "unknown":
            return True
        ending = seen.name.rpartition(".")[2].lower()
        return ending in self._endings and not told.is_text and ending not in told.extensions


def rules() -> dict[str, Rule]:
    """Every peer that can be had here, by name."""
    magic = Magic()
    found: dict[str, Rule] = {
        "entropy >= 7.9": entropy_high,
        "entropy as of chance": entropy_fitting,
        "DaD, chi-square": dad,
        "CryptoDrop, all three": CryptoDrop(magic, 3),
        "CryptoDrop, two of three": CryptoDrop(magic, 2),
    }
    with contextlib.suppress(ImportError, importlib.metadata.PackageNotFoundError):
        found[f"magika {importlib.metadata.version('magika')}"] = Magika()
    return found
