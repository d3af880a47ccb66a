"""The timeline benchmark, which is a folder of scripts and no package."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
FOLDERS = (BENCHMARKS / "timeline", BENCHMARKS / "verdicts")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Its modules. They are taken out again: the benchmark of verdicts has some of the same names."""
    before = set(sys.modules)
    sys.path[:0] = map(str, FOLDERS)
    names = [one.stem for one in FOLDERS[0].glob("*.py") if one.stem != "__main__"]
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        for folder in FOLDERS:
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
                del sys.modules[name]
