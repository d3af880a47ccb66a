"""Healthy files of every format, from the tests' own makers, for fuzzing to begin with.

python tests/fuzz/seeds.py FOLDER [--shared]

Every test file of `tests/formats` makes its healthy files in functions and tables of its own: all functions
of these files that need no argument are called, and what they and the tables hold is sorted by the format
that recognises it. `--shared` adds the small files of the shared corpus, where it lies beside the checkout.
"""

import argparse
import hashlib
import importlib.util
import inspect
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from vigie.formats import CATALOGUE, HEAD, Format

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "formats"
SHARED = ROOT.parent / "shared" / "corpus"
LONGEST = 256 * 1024
"""Bytes of a seed: a longer file is cut there."""
MOST = 12
"""Seeds a format is given, the shortest first."""
LEFT_OUT = {"conftest", "test_hostile", "test_hostile_tables", "test_found"}
"""No makers of healthy files."""
CALLS: dict[str, tuple[tuple[str, str, tuple[Any, ...]], ...]] = {
    "flac": (("test_flac", "recording", (12,)),),
    "ogg": (("test_ogg", "stream", (12,)),),
    "aac": (("test_aac", "stream", (60,)),),
    "mp3": (("test_mp3", "frames", (60,)),),
    "mpeg": (("test_mpeg", "program", (bytes.fromhex("000001ba4400040004010189c3f8"), 20)),),
    "mpegts": (("test_mpeg", "transport", (188, 60)),),
    "tiff": (("test_tiff", "image", ("tiff_lzw", "L")), ("test_tiff", "image", ("tiff_adobe_deflate",))),
    "gif": (("test_gif", "image", (60, 4)),),
    "jpeg": (("test_jpeg", "photo", (200,)),),
    "riff": (("test_riff", "riff", (b"ABCD", b"data\x04\0\0\0abcd")),),
    "webp": (("test_riff", "riff", (b"WEBP", b"VP8X\x0a\0\0\0" + bytes(10), b"VP8 \x04\0\0\0abcd")),),
    "iso9660": (("test_iso", "image", ()),),
    "dmg": (("test_named", "dmg", ()),),
    "xlsx": (("test_ooxml", "package", ("xl",)),),
    "pptx": (("test_ooxml", "package", ("ppt",)),),
    "innodb": (("made_databases", "innodb", ()),),
    "sst": (("made_databases", "MADE", ("sst",)),),
}
"""Makers that need an argument, or whose files nobody recognises by their head: module, name, arguments."""


def healthy(*, shared: bool = False) -> dict[str, list[bytes]]:
    """Seeds by the name of the format; a format that no test makes alone has none."""
    modules = {path.stem: _load(path) for path in sorted(TESTS.glob("*.py")) if path.stem not in LEFT_OUT}
    pool = {data for module in modules.values() for data in _held(module)}
    if shared and SHARED.is_dir():
        pool |= {p.read_bytes() for p in SHARED.rglob("*") if p.is_file() and p.stat().st_size < LONGEST}
    found: dict[str, set[bytes]] = defaultdict(set)
    for data in pool:
        for form in CATALOGUE:
            if form.recognises(data[:HEAD]):
                found[form.name].add(data)
    for name, calls in CALLS.items():
        for module_name, maker, arguments in calls:
            made = getattr(modules[module_name], maker)
            found[name].add(made[arguments[0]]() if isinstance(made, dict) else made(*arguments))
    return {form.name: _chosen(found[form.name]) for form in CATALOGUE}


def _chosen(seeds: set[bytes]) -> list[bytes]:
    ordered = sorted({seed[:LONGEST] for seed in seeds}, key=lambda seed: (len(seed), seed))
    # Text in a thousand variations teaches nothing: some of each length do.
    return ordered if len(ordered) <= MOST else random.Random(1).sample(ordered, MOST)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"seeds_of_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _held(module: ModuleType) -> Iterator[bytes]:
    for name, value in list(vars(module).items()):
        if name.startswith(("__", "test_")) or inspect.isclass(value):
            continue
        if not inspect.isfunction(value) or value.__module__ == module.__name__:
            yield from _bytes_in(value)


def _bytes_in(value: Any, depth: int = 0) -> Iterator[bytes]:
    if isinstance(value, bytes):
        if len(value) >= 16:
            yield value
    elif depth < 4 and isinstance(value, dict):
        for held in value.values():
            yield from _bytes_in(held, depth + 1)
    elif depth < 4 and isinstance(value, tuple | list):
        for held in value:
            yield from _bytes_in(held, depth + 1)
    elif depth < 4 and inspect.isfunction(value) and _needs_nothing(value):
        yield from _bytes_in(value(), depth + 1)


def _needs_nothing(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return all(p.default is not p.empty for p in parameters)


def words(form: Format) -> list[bytes]:
    """The magic strings of a format: the short byte strings in the code of its module."""
    module = inspect.getmodule(form.dissect)
    if module is None:
        return []
    folder = module.__name__.rpartition(".")[0]
    nearby = {getattr(value, "__module__", None) or "" for value in vars(module).values()}
    nearby |= {value.__name__ for value in vars(module).values() if inspect.ismodule(value)}
    wanted = {module.__name__, *(name for name in nearby if name.startswith(folder))}
    found: set[bytes] = set()
    for name in wanted:
        loaded = sys.modules[name]
        found |= {v for v in vars(loaded).values() if isinstance(v, bytes)}
        found |= set(_constants(compile(inspect.getsource(loaded), name, "exec")))
    return sorted(word for word in found if 2 <= len(word) <= 24)


def _constants(code: CodeType) -> Iterator[bytes]:
    for constant in code.co_consts:
        if isinstance(constant, bytes):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _constants(constant)
        elif isinstance(constant, tuple | frozenset):
            yield from (part for part in constant if isinstance(part, bytes))


def write(folder: Path, *, shared: bool) -> dict[str, int]:
    """Write every format's seeds into a folder of its own, its words beside it; how many seeds there are."""
    made = healthy(shared=shared)
    for form in CATALOGUE:
        place = folder / form.name
        place.mkdir(parents=True, exist_ok=True)
        for seed in made[form.name]:
            (place / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in words(form)]
        (folder / f"{form.name}.dict").write_text("\n".join(lines) + "\n")
    return {name: len(seeds) for name, seeds in made.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shared", action="store_true", help="files of the shared corpus, too")
    asked = parser.parse_args()
    for name, count in write(asked.folder, shared=asked.shared).items():
        sys.stdout.write(f"{count:4} {name}\n")
