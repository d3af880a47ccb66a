"""The files of the benchmark: made here, fixtures of the tests, taken from the machine and the shared corpus.

Made files follow from the seed alone. Fixtures are the healthy files that the tests of the formats build by
hand, byte by byte from the specification, where no program at hand writes the format; what the tests fill
their coded parts with is noise, so they say less than made ones, and are counted apart.
"""

import contextlib
import importlib.util
import io
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType

import making_documents as documents
import making_images as images
from samples import HUGE, LARGE, SMALL, USUAL, Sample, Size, drawn

from vigie import formats
from vigie.formats import HEAD

SEED = 20261123
PROJECT = Path(__file__).resolve().parents[2]
CORPUS = PROJECT.parent / "shared" / "corpus"
TESTS = PROJECT / "tests" / "formats"

Maker = Callable[[Random, int], bytes]

MADE: tuple[tuple[str, str, Maker], ...] = (
    ("dicom, native", "dcm", images.dicom_native),
    ("dicom, implicit", "dcm", images.dicom_implicit),
    ("dicom, frames", "dcm", images.dicom_frames),
    ("dicom, JPEG", "dcm", images.dicom_jpeg),
    ("dicom, JPEG 2000", "dcm", images.dicom_jpeg2000),
    ("dicom, RLE", "dcm", images.dicom_rle),
    ("dicom, deflated", "dcm", images.dicom_deflated),
    ("dicom, report", "dcm", images.dicom_report),
    ("hl7v2", "hl7", documents.hl7),
    ("hl7v2, base64 PDF", "hl7", documents.hl7_pdf),
    ("hprim", "hpr", documents.hprim_letter),
    ("fhir", "json", documents.fhir),
    ("cda", "xml", documents.cda),
    ("pdf", "pdf", documents.pdf),
    ("pdf, scanned", "pdf", documents.pdf_scanned),
    ("docx", "docx", documents.docx),
    ("xlsx", "xlsx", documents.xlsx),
    ("odt", "odt", documents.odt),
    ("rtf", "rtf", documents.rtf),
    ("eml", "eml", documents.eml),
    ("text", "txt", documents.text),
    ("text, cp1252", "txt", documents.latin1),
    ("text, utf-16", "txt", documents.utf16),
    ("markdown", "md", documents.markdown),
    ("html", "html", documents.html),
    ("source", "py", documents.source),
    ("csv", "csv", documents.csv),
    ("json", "json", documents.json),
    ("xml", "xml", documents.xml),
    ("jpeg", "jpg", images.jpeg),
    ("jpeg, progressive", "jpg", images.progressive),
    ("png", "png", images.png),
    ("png, drawing", "png", images.screenshot),
    ("gif", "gif", images.gif),
    ("bmp", "bmp", images.bmp),
    ("ico", "ico", images.ico),
    ("webp", "webp", images.webp),
    ("webp, lossless", "webp", images.webp_lossless),
    ("jpeg2000", "jp2", images.jpeg2000),
    ("tiff", "tif", images.tiff),
    ("tiff, LZW", "tif", images.tiff_lzw),
    ("tiff, deflate", "tif", images.tiff_deflate),
    ("tiff, JPEG", "tif", images.tiff_jpeg),
    ("wav", "wav", documents.wav),
    ("zip", "zip", documents.zipped),
    ("zip, stored", "zip", documents.zip_stored),
    ("tar", "tar", documents.tar),
    ("gzip", "gz", documents.gzip),
    ("bzip2", "bz2", documents.bzip2),
    ("xz", "xz", documents.xz),
    ("zstd", "zst", documents.zstd),
    ("sqlite", "sqlite", documents.sqlite),
    ("sqlite, pictures", "sqlite", documents.sqlite_blobs),
    ("dbase", "dbf", documents.dbase),
)
"""(kind, ending, maker), in the order of the tables."""

HUGE_KINDS = ("dicom, frames", "dicom, JPEG", "csv", "sqlite", "zip", "wav", "tiff", "pdf, scanned", "gzip")
"""What is made beyond 8 MiB as well."""

FIXTURES = (
    *("edf", "nifti", "scpecg", "hprim", "isobmff", "aiff", "matroska", "mpeg", "riff", "tar", "cpio", "cab"),
    *("rar", "sevenzip", "iso", "disk", "luks", "keepass", "lz4", "encrypted", "named", "metafile", "ole2"),
)
"""Test modules that hold their healthy files in `HEALTHY` or `SAMPLES`, named by the format they test."""
BUILDERS = (
    *("elf.healthy", "pe.healthy", "ar.healthy", "javaclass.healthy", "wasm.healthy", "macho.healthy"),
    *("mo.healthy", "terminfo.healthy", "tzif.healthy", "bitcode.healthy", "jmod.healthy", "pyc.healthy"),
    *("gitobjects.pack", "font.opentype", "font.woff", "font.woff2", "psd.document", "office.mail"),
)
"""Functions of test modules that build one healthy file each."""
DATABASES = (
    *("postgres_heap", "postgres_btree", "postgres_wal", "postgres_control", "pgdump", "innodb", "redo"),
    *("firebird", "access", "sqlserver", "ese", "registry", "evtx", "pst", "parquet", "hdf5", "matlab"),
)
"""The same of `made_databases`."""
ENDINGS = (
    *("pdf", "ttf", "otf", "pfb", "pcf", "pyc", "so", "a", "o", "mo", "gz", "jar"),
    *("png", "svg", "html", "css", "js", "py", "xml", "json", "csv", "h", "tex", "ps"),
    *("ico", "gif", "jpg", "zip", "whl", "tar", "bz2", "xz", "sqlite", "db", "dat", "1"),
    *("class", "rpm", "deb", "eps", "tfm", "afm", "odt", "doc", "docx", "xls", "wav", "mp3"),
    *("ogg"),
)
"""What is looked for on the machine."""


def made(count: int, *, huge: bool) -> Iterator[Sample]:
    """`count` files of each kind: one small, then usual ones, every fifth large; one huge of some kinds.

    Made side by side, a process a core: what a kind gives depends on nothing but the seed.
    """
    with multiprocessing.get_context("fork").Pool() as pool:
        for samples in pool.imap(partial(_of_kind, count=count, huge=huge), range(len(MADE)), chunksize=1):
            yield from samples


def _of_kind(number: int, *, count: int, huge: bool) -> list[Sample]:
    kind, ending, maker = MADE[number]
    dice = Random(f"{SEED} {kind}")
    sizes: list[Size] = [SMALL, *(LARGE if n % 5 == 4 else USUAL for n in range(1, count))][:count]
    if huge and kind in HUGE_KINDS:
        sizes.append(HUGE)
    stem = kind.replace(", ", "-").replace(" ", "-")
    return [
        Sample(f"{stem}-{n}.{ending}", kind, maker(dice, drawn(dice, size)), "made")
        for n, size in enumerate(sizes)
    ]


def fixtures() -> Iterator[Sample]:
    """What the tests of the formats build; a module that is not there, or fails to load, is left out."""
    for stem in FIXTURES:
        module = _loaded(f"test_{stem}")
        if module is not None:
            found = getattr(module, "HEALTHY", None) or getattr(module, "SAMPLES", {})
            if stem == "ole2":
                found = {name: module.compound(streams) for name, streams in found.items()}
            values = (
                found.values() if isinstance(found, dict) else [found] if isinstance(found, bytes) else found
            )
            for number, value in enumerate(values):
                yield from _fixture(stem, number, value)
    for number, place in enumerate((*BUILDERS, *(f"made_databases.{name}" for name in DATABASES))):
        stem, _, function = place.partition(".")
        module = _loaded(stem if stem == "made_databases" else f"test_{stem}")
        build = getattr(module, function, None)
        if callable(build):
            yield from _fixture(function if stem == "made_databases" else stem, number, build())


def _fixture(stem: str, number: int, value: object) -> Iterator[Sample]:
    parts = value if isinstance(value, tuple) else (value,)
    data = next((part for part in parts if isinstance(part, bytes)), b"")
    form = formats.by_content(data[:HEAD])
    ending = form.suffixes[0] if form and form.suffixes else "bin"
    if len(data) >= 1024:
        yield Sample(
            f"fixture-{stem}-{number}.{ending}", f"{form.name if form else stem}, fixture", data, "fixture"
        )


_modules: dict[str, ModuleType | None] = {}


def _loaded(stem: str) -> ModuleType | None:
    if stem not in _modules:
        _modules[stem] = None
        spec = importlib.util.spec_from_file_location(stem, TESTS / f"{stem}.py")
        if spec is not None and spec.loader is not None and (TESTS / f"{stem}.py").is_file():
            module = importlib.util.module_from_spec(spec)
            sys.modules[stem] = module
            # A fixture more or less: whatever a test module of tomorrow does when loaded, the run goes on.
            with (
                contextlib.suppress(Exception),
                warnings.catch_warnings(),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                warnings.simplefilter("ignore")
                spec.loader.exec_module(module)
                _modules[stem] = module
    return _modules[stem]


def machine(each: int, top: str = "/usr") -> Iterator[Sample]:
    """Up to `each` files of each ending below `top`, 2 KiB to 4 MiB, drawn by the seed."""
    found: dict[str, list[str]] = {ending: [] for ending in ENDINGS}
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            ending = name.rpartition(".")[2].lower()
            if ending in found and "." in name:
                found[ending].append(os.path.join(folder, name))
    for ending, paths in found.items():
        dice = Random(f"{SEED} {ending}")
        dice.shuffle(paths)
        taken = 0
        for path in paths:
            if taken == each:
                break
            with contextlib.suppress(OSError):
                if (
                    os.path.isfile(path)
                    and not os.path.islink(path)
                    and 2048 <= os.path.getsize(path) <= 4 << 20
                ):
                    data = Path(path).read_bytes()
                    yield Sample(
                        f"machine-{taken}-{os.path.basename(path)}",
                        f".{ending} of the machine",
                        data,
                        "machine",
                    )
                    taken += 1


def shared(every: int) -> Iterator[Sample]:
    """One in `every` files of the shared corpus of DICOM, HL7 v2, FHIR and CDA, if it is there."""
    paths = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.name != "ORIGIN.md")
    for number, path in enumerate(paths[::every]):
        data = path.read_bytes()
        if data:
            kind = path.relative_to(CORPUS).parts[0]
            yield Sample(f"corpus-{number}-{path.name}", f"{kind} of the corpus", data, "corpus")


def gathered(*, quick: bool) -> list[Sample]:
    """The corpus of one run."""
    parts: Iterable[Iterator[Sample]] = (
        made(2 if quick else 5, huge=not quick),
        fixtures(),
        machine(1 if quick else 4),
        shared(8 if quick else 1),
    )
    return [sample for part in parts for sample in part]
