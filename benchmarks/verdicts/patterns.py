"""How ransomware writes, as byte ranges: the ground truth of the benchmark.

Nothing here encrypts and nothing here touches a file: a pattern gets bytes and gives other bytes, some of
them replaced by seeded noise, and says which. Parts that real programs measure in megabytes or gigabytes are
scaled to the size of the file, and the name says so ("scaled"). Sources:

- SentinelLabs, "Crimeware Trends: Ransomware Developers Turn to Intermittent Encryption to Evade Detection"
  (8 September 2022): LockFile, Qilin (then Agenda), BlackCat, Play, Black Basta.
- Cybereason, "Royal Rumble: Analysis of Royal Ransomware" (14 December 2022): the share of each tenth.
- Avast, "Decrypted: Akira Ransomware" (29 June 2023): half of a small file, four blocks
  of a large one, a footer.
- Sophos, "LockFile ransomware's box of tricks" (27 August 2021); Microsoft and others on LockBit 2.0's 4 KiB.
- McIntosh et al., "The Inadequacy of Entropy-Based Ransomware Detection" (ICONIP 2019): base64; and "A Method
  for Neutralizing Entropy Measurement-Based Ransomware Detection Technologies Using Encoding Algorithms"
  (Entropy 24(2), 2022): other codings, of which filling bytes are the plainest.
"""

import base64
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.judge.shape import GAP
from vigie.model import Pattern as Shape
from vigie.model import Period

Spans = NDArray[np.int64]
"""Half-open byte ranges, shape (n, 2), rising and apart."""

CIPHER = 16
"""Bytes of an AES block: what is overwritten comes in multiples of it, where a program says so."""
BLOCK = 4096
DENSE = 2 / 3
"""Share of a stretch below which it is struck intermittently (`vigie.judge.shape`)."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A file after the attack, and what of it was overwritten."""

    data: bytes
    spans: Spans


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way of overwriting a file.

    `spans` gives the ranges for a size, `footer` noise is appended, `disguise` writes the noise in other
    characters: the whole file is replaced then.
    """

    name: str
    spans: Callable[[int], Spans]
    footer: int = 0
    disguise: Callable[[bytes], bytes] | None = None
    period: Period | None = None
    """The rhythm it has on any file long enough."""

    def strike(self, data: bytes, seed: int) -> Struck:
        """The file `data` after the attack; the same noise for the same seed."""
        noise = np.random.default_rng(seed)
        if self.disguise is not None:
            out = self.disguise(noise.bytes(len(data)))
            return Struck(out, _spans([(0, len(out))]))
        spans = self.spans(len(data))
        mask = covered(spans, len(data))
        old = np.frombuffer(data, np.uint8)
        new = np.where(mask, np.frombuffer(noise.bytes(len(data)), np.uint8), old).tobytes()
        if self.footer:
            spans = np.concatenate([spans, _spans([(len(data), len(data) + self.footer)])])
            new += noise.bytes(self.footer)
        return Struck(new, joined(spans, 0))


def _spans(pairs: Iterable[tuple[int, int]]) -> Spans:
    return np.array([pair for pair in pairs if pair[1] > pair[0]], np.int64).reshape(-1, 2)


def covered(spans: Spans, size: int) -> NDArray[np.bool_]:
    """Which bytes of a file of `size` lie inside `spans`: shape (size,)."""
    edges = np.zeros(size + 1, np.int8)
    edges[np.minimum(spans[:, 0], size)] += 1
    edges[np.minimum(spans[:, 1], size)] -= 1
    return np.cumsum(edges[:size], dtype=np.int8).astype(np.bool_)


def joined(spans: Spans, gap: int) -> Spans:
    """The same ranges, those with at most `gap` bytes between them made one."""
    if len(spans) < 2:
        return spans
    apart = np.flatnonzero(spans[1:, 0] - spans[:-1, 1] > gap)
    starts = spans[np.concatenate([[0], apart + 1]), 0]
    ends = spans[np.concatenate([apart, [len(spans) - 1]]), 1]
    return np.stack([starts, ends], axis=1)


def shape_of(spans: Spans, size: int) -> Shape:
    """What the pattern is called by the definitions of `vigie.judge.shape`, from the truth."""
    stretches = joined(spans, GAP)
    length = int((stretches[:, 1] - stretches[:, 0]).sum())
    if len(stretches) > 1 or int((spans[:, 1] - spans[:, 0]).sum()) < DENSE * length:
        return Shape.INTERMITTENT
    start, end = stretches[0]
    if start:
        return Shape.PARTIAL
    return Shape.FULL if end >= size else Shape.HEADER


def _steps(size: int, on: int, period: int, start: int = 0, end: int | None = None) -> Spans:
    """`on` bytes at every `period`, from `start` up to `end`."""
    limit = size if end is None else min(end, size)
    if start >= limit:
        return _spans(())
    starts = np.arange(start, limit, max(1, period), dtype=np.int64)
    spans = np.stack([starts, np.minimum(starts + on, limit)], axis=1)
    whole = spans[:, 1] - spans[:, 0] >= min(CIPHER, on)  # no crumb at the end that no cipher would write
    whole[0] = True
    return joined(spans[whole], 0)


def _aligned(length: float) -> int:
    return max(CIPHER, int(length) // CIPHER * CIPHER)


def _whole(size: int) -> Spans:
    return _spans([(0, size)])


def _head(length: int) -> Callable[[int], Spans]:
    return lambda size: _spans([(0, min(length, size))])


def _every(on: int, off: int) -> Callable[[int], Spans]:
    return lambda size: _steps(size, on, on + off)


def _black_basta(size: int) -> Spans:
    """Up to 704 bytes whole; up to 4 KiB 64 on, 192 off; above 64 on, 128 off (SentinelLabs)."""
    if size <= 704:
        return _whole(size)
    return _steps(size, 64, 256 if size <= BLOCK else 192)


def _dots(size: int) -> Spans:
    """BlackCat DotPattern [N, Y]: N bytes, then a step of Y; here 1 to 3, over 4 MiB or the file."""
    period = 4 << 20 if size > 16 << 20 else size // 4
    return _steps(size, _aligned(period / 4), max(CIPHER, period))


def _smart(size: int) -> Spans:
    """BlackCat SmartPattern [N, P]: the first N bytes, then P % of each tenth of the rest; N 1 %, P 10."""
    head = _aligned(size / 100)
    tenth = max(CIPHER, (size - head) // 10)
    return joined(
        np.concatenate([_spans([(0, min(head, size))]), _steps(size, _aligned(tenth / 10), tenth, head)]), 0
    )


def _play(count: int) -> Callable[[int], Spans]:
    """Play: 2, 3 or 5 chunks (to 1 GiB, to 10 GiB, above), spread evenly; a tenth of the file each."""

    def spans(size: int) -> Spans:
        length = _aligned(size / 10)
        last = max(0, size - length)
        return joined(
            _spans(
                (last * n // (count - 1), min(size, last * n // (count - 1) + length)) for n in range(count)
            ),
            0,
        )

    return spans


def _skip_step(size: int) -> Spans:
    """Qilin skip-step [skip N, step Y]: Y bytes, then N skipped; here 1/40 of the file in each twentieth."""
    return _steps(size, _aligned(size / 40), _aligned(size / 20))


def _percent(size: int) -> Spans:
    """Qilin percent [N, P]: N bytes, then P % of the file skipped; here 64 KiB (or 2 %), then 15 %."""
    on = min(64 << 10, _aligned(size / 50))
    return _steps(size, on, on + _aligned(size * 0.15))


def _fast(size: int) -> Spans:
    """Qilin fast, with steps: the head (a tenth, 1 MiB at most), then 4 KiB in each eighth of the rest."""
    head = min(1 << 20, _aligned(size / 10))
    rest = max(BLOCK, (size - head) // 8)
    return joined(
        np.concatenate([_spans([(0, min(head, size))]), _steps(size, BLOCK, rest, head + rest // 2)]), 0
    )


def _royal(size: int) -> Spans:
    """Royal: up to 5,245,000 bytes whole; above, half of each tenth, in multiples of 16 (scaled by 16)."""
    if size <= 5_245_000 // 16:
        return _whole(size)
    return _steps(size, _aligned(size / 20), size // 10)


def _akira(size: int) -> Spans:
    """Akira: the first half up to 2,000,000 bytes; above, four blocks, an eighth of the file together."""
    if size <= 2_000_000:
        return _spans([(0, size // 2)])
    return _steps(size, _aligned(size / 32), size // 4)


def _behind(length: int) -> Callable[[int], Spans]:
    """All but the first bytes; of a file that is no longer, its second half."""
    return lambda size: _spans([(length if size > 2 * length else size // 2, size)])


def _share(percent: int) -> Callable[[int], Spans]:
    """Blocks of 4 KiB, evenly; one at least, from the third fifth on, so that the head is spared."""

    def spans(size: int) -> Spans:
        count = max(1, round(size * percent / 100 / BLOCK))
        period = size / count
        return joined(
            _spans((at, min(size, at + BLOCK)) for at in (_block(period * (n + 0.55)) for n in range(count))),
            0,
        )

    return spans


def _block(offset: float) -> int:
    return int(offset) // BLOCK * BLOCK


def _chunk(size: int) -> Spans:
    """One percent in one piece, somewhere past the middle, at a multiple of 16."""
    start = _aligned(size * 0.6)
    return _spans([(start, min(size, start + max(64, _aligned(size / 100))))])


def _padded(noise: bytes) -> bytes:
    """Each byte of ciphertext followed by a constant: half the entropy (Entropy 24(2), 2022)."""
    out = np.full(2 * len(noise), 0x41, np.uint8)
    out[::2] = np.frombuffer(noise, np.uint8)
    return out.tobytes()


PATTERNS: tuple[Pattern, ...] = (
    Pattern("whole file", _whole),
    Pattern("head 4 KiB (LockBit 2.0)", _head(BLOCK)),
    Pattern("16 on, 16 off (LockFile)", _every(16, 16), period=Period(16, 16)),
    Pattern("by size, 64 on, 128 off (Black Basta)", _black_basta),
    Pattern("64 on, 128 off", _every(64, 128), period=Period(64, 128)),
    Pattern("head 64 KiB (BlackCat HeadOnly)", _head(64 << 10)),
    Pattern("steps (BlackCat DotPattern, scaled)", _dots),
    Pattern("head, 10 % of each tenth (BlackCat SmartPattern)", _smart),
    Pattern("2 chunks (Play)", _play(2)),
    Pattern("3 chunks (Play, scaled)", _play(3)),
    Pattern("5 chunks (Play, scaled)", _play(5)),
    Pattern("skip-step (Qilin, scaled)", _skip_step),
    Pattern("percent (Qilin)", _percent),
    Pattern("fast with steps (Qilin, scaled)", _fast),
    Pattern("half of each tenth (Royal, scaled)", _royal),
    Pattern("half or four blocks, footer (Akira)", _akira, footer=512),
    Pattern("all but the first 4 KiB", _behind(BLOCK)),
    Pattern("all but the first 64 KiB", _behind(64 << 10)),
    Pattern("5 % in 4 KiB blocks", _share(5)),
    Pattern("1 % in 4 KiB blocks", _share(1)),
    Pattern("1 % in one piece", _chunk),
    Pattern("base64 of ciphertext", _whole, disguise=base64.encodebytes),
    Pattern("ciphertext with filling bytes", _whole, disguise=_padded),
)
"""Every pattern of the field, in the order of the tables."""


def seed_of(*words: str) -> int:
    """A seed that is the same in every run."""
    return zlib.crc32("\0".join(words).encode(errors="surrogateescape"))
