"""Fixtures that many rooms need: where the shared corpus is, and what this machine offers."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The shared corpus, read in place; the test is skipped where it is missing."""
    if not CORPUS.is_dir():
        pytest.skip("the shared corpus is not beside this checkout")
    return CORPUS


@pytest.fixture
def as_root() -> None:
    """Skip where the test is not run by root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
