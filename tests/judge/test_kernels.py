import importlib.util
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.judge import glance, kernels
from vigie.model import Charset

_spec = importlib.util.spec_from_file_location("naive", Path(__file__).with_name("naive.py"))
assert _spec is not None
assert _spec.loader is not None
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

TEXTS = (Charset.UTF8, Charset.LATIN1, Charset.UTF16)


def interesting(seed: int) -> bytes:
    """Random, text, tables and their mixtures, of odd lengths."""
    dice = random.Random(seed)
    pieces = []
    for _ in range(dice.randrange(1, 12)):
        length = dice.randrange(0, 700)
        pieces.append(
            dice.choice(
                [
                    dice.randbytes(length),
                    "Évolution du dossier n° 12 : température 37,2 °C. ".encode()[:length] * 3,
                    "Évolution défavorable à l'été".encode("latin-1") * (length // 20),
                    "Évolution".encode("utf-16-le") * (length // 10),
                    bytes(i % 256 for i in range(length)),
                    bytes(length),
                    bytes(dice.choice((0, 7, 0xC3, 0xE2, 0x82, 0xF0, 0x9F, 0x41)) for _ in range(length)),
                ]
            )
        )
    return b"".join(pieces)


def both(kernel: Any, data: bytes) -> list[list[Any]]:
    """What a kernel says compiled, and as plain Python."""
    array = np.frombuffer(data, np.uint8)
    return [kernel(array).tolist(), kernel.py_func(array).tolist()]


@pytest.mark.parametrize("seed", range(40))
def test_cells_and_blocks_equal_their_naive_twins(seed: int) -> None:
    data = interesting(seed)
    for found in both(kernels.cell_masks, data):
        assert found == naive.cell_masks(data)
    for found in both(kernels.random_fine, data):
        assert found == naive.random_fine(data)
    for text in (data, b"a line of text\r\n" * 700 + data[:99] + b"text" * 3000 + data[:1]):
        for found in both(kernels.control_blocks, text):
            assert found == naive.control_blocks(text)
    for found in both(kernels.block_histograms, data * 4):
        assert found == naive.block_histograms(data * 4)


@pytest.mark.parametrize("charset", TEXTS)
@given(data=st.binary(max_size=300) | st.integers(0, 10_000).map(interesting))
@settings(max_examples=80, deadline=None)
def test_impossible_bytes_equal_their_naive_twin(charset: Charset, data: bytes) -> None:
    expected = naive.impossible_bytes(data, charset)
    assert kernels.impossible_bytes(np.frombuffer(data, np.uint8), charset).tolist() == expected


@pytest.mark.parametrize(
    ("kernel", "charset"),
    [
        (kernels._impossible_utf8, Charset.UTF8),
        (kernels._impossible_latin1, Charset.LATIN1),
        (kernels._impossible_utf16, Charset.UTF16),
    ],
)
@pytest.mark.parametrize("seed", range(12))
def test_text_kernels_say_the_same_uncompiled(kernel: Any, charset: Charset, seed: int) -> None:
    data = np.frombuffer(interesting(seed), np.uint8)
    result = np.zeros((data.size + 15) // 16, np.uint8)
    kernel.py_func(data, result)
    assert result.tolist() == kernels.impossible_bytes(data, charset).tolist()


def test_random_bytes_look_random_at_every_scale() -> None:
    data = np.frombuffer(random.Random(1).randbytes(4 << 20), np.uint8)
    assert np.unpackbits(kernels.cell_masks(data).view(np.uint8)).mean() > 0.998
    assert kernels.random_fine(data).mean() > 0.9
    histograms = kernels.block_histograms(data)
    assert histograms.shape == (1024, 256)
    chi2 = (histograms**2).sum(axis=1) / 16 - 4096
    assert 250 < chi2.mean() < 260
    assert 20 < chi2.std() < 25
    for charset, share in ((Charset.UTF8, 0.8), (Charset.LATIN1, 0.8), (Charset.UTF16, 0.99)):
        assert (kernels.impossible_bytes(data, charset) >= 4).mean() > share


def _wave() -> bytes:
    samples = (2000 + 900 * np.sin(np.arange(8192) / 9)).astype("<i2")
    noise = np.random.default_rng(1).normal(0, 30, 8192).astype("<i2")
    return bytes((samples + noise).astype("<i2").tobytes())


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"The patient was seen today and is well. " * 400,
        lambda: bytes(16384),
        lambda: bytes(i % 256 for i in range(16384)),
        lambda: bytes(np.random.default_rng(2).normal(120, 12, 16384).astype(np.uint8)),
        lambda: np.arange(4096, dtype="<u4").tobytes(),
        _wave,
        lambda: os.fsencode(kernels.__doc__ or "") * 20,
        lambda: b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ" * 300,
    ],
)
def test_healthy_structures_do_not(make: Callable[[], bytes]) -> None:
    data = np.frombuffer(make(), np.uint8)
    assert not kernels.cell_masks(data).any()
    assert kernels.random_fine(data).mean() < 0.1


@pytest.mark.parametrize("charset", TEXTS)
def test_no_healthy_text_has_impossible_bytes(charset: Charset) -> None:
    text = "L’évolution est favorable : glycémie 5,4 mmol/l — à revoir été 2026.\r\n\tŒdème\x1b[0m " * 50
    data = text.encode({"utf-8": "utf-8", "latin-1": "cp1252", "utf-16": "utf-16-le"}[charset.value])
    assert not kernels.impossible_bytes(np.frombuffer(data, np.uint8), charset).any()


def test_a_latin1_line_in_a_utf8_text_is_not_an_attack() -> None:
    data = "été créée là-bas, déjà, à côté".encode("latin-1") * 20
    assert not kernels.impossible_bytes(np.frombuffer(data, np.uint8), Charset.UTF8).any()


def test_a_glance_tells_random_heads_from_healthy_ones() -> None:
    dice = random.Random(3)
    assert sum(glance(dice.randbytes(4096)) for _ in range(1000)) > 990
    assert sum(glance(dice.randbytes(16) + b"a" * 48) for _ in range(1000)) > 900
    for head in (
        b"",
        b"short",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>",
        bytes(128) + b"DICM",
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb\x00\x43\x00"
        + bytes(range(64)),
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x01\x00\x08\x02\x00\x00\x00\xd3\x10\x3f\x31",
        "Évolution défavorable à l'été : œdèmes".encode() * 3,
        "Évolution défavorable à l'été".encode("latin-1") * 3,
        b"SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20\x00\x00\x00\x0a",
    ):
        assert not glance(head)
