"""Caches, indexes and tables that a system builds for itself: known by their headers, so that nobody asks.

Most of them are built anew when they are missing: they are recognised, and nothing is said of their content.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from vigie.formats.contract import EFFORT, HEAD, Dissect, Format, Malformed
from vigie.model import Anatomy, Blob, Kind, Region


@dataclass(frozen=True, slots=True)
class _Sort:
    """One kind of file: what it is called, and how its head begins."""

    name: str
    title: str
    specification: str
    head: bytes
    """A pattern, matched at byte 0: together at least 24 bits that chance would have to meet."""
    weak_suffixes: tuple[str, ...] = ()


_SORTS = (
    _Sort("xcursor", "X cursor", "Xcursor(3)", rb"Xcur\x10\0\0\0\0\0\x01\0"),
    _Sort(
        "typelib",
        "GObject introspection data",
        "gitypelib-internal.h",
        rb"GOBJ\nMETADATA\r\n\x1a",
        ("typelib",),
    ),
    _Sort(
        "gvariant",
        "GVariant table (gresource, gschemas, dconf)",
        "gvdb-format.h",
        rb"GVariant\0{8}|raVGtnai\0{8}",
    ),
    _Sort("iconcache", "GTK icon cache", "gtkiconcache.c", rb"\0\x01\0\0\0\0\0\x0c\0[\0-\x1f]..\0\0"),
    _Sort(
        "mimecache",
        "cache of MIME types",
        "shared-mime-info, 2.4",
        rb"\0\x01\0[\0-\x02](?:\0(?!\0{3})[\0-\x3f]..){8}",
    ),
    _Sort("hwdb", "hardware database of systemd", "systemd hwdb-internal.h", rb"KSLPHHRH"),
    _Sort("catalog", "message catalogue of systemd", "systemd catalog.c", rb"RHHHKSLP\0{8}"),
    _Sort("journal", "journal of systemd", "systemd.io/JOURNAL_FILE_FORMAT", rb"LPKSHHRH", ("journal",)),
    _Sort(
        "ldcache",
        "cache of the dynamic linker",
        "glibc dl-cache.h",
        rb"ld\.so-1\.7\.0\0|glibc-ld\.so\.cache1\.1",
    ),
    _Sort("gconv", "cache of character set modules", "glibc gconv_cache", rb"\x24\x03\x01\x20..\0?"),
    _Sort("localearchive", "archive of locales", "glibc locarchive.h", rb"\x09\x01\x02\xde.{3}\0.{3}\0"),
    _Sort("encmap", "character map of XML::Parser", "XML::Parser::Expat", rb"\xfe\xeb\xfa\xce[ -~]+\0"),
    _Sort(
        "icu",
        "data of ICU",
        "ICU udata.h, UDataInfo",
        rb"..(?:\xda\x27\x14\0|\xda\x27\0\x14)\0\0[\0\x01][\0\x01]\x02\0",
    ),
    _Sort("jsa", "class data archive of Java", "JDK cds.h", rb"[\xa2\xa8]\xab\x0b\xf0.{4}[\x01-\x7f]\0\0\0"),
    _Sort(
        "jimage",
        "modules of a Java runtime",
        "JDK imageFile.hpp",
        rb"\xda\xda\xfe\xca[\0-\x0f]\0[\x01-\x0f]\0",
    ),
    _Sort(
        "keystore",
        "Java key store",
        "sun.security.provider.JavaKeyStore",
        rb"(?:\xfe\xed\xfe\xed|\xce\xce\xce\xce)\0\0\0[\x01\x02]",
        ("jks",),
    ),
    _Sort("tzdb", "time zones of Java", "sun.util.calendar.TzdbZoneRulesProvider", rb"\x01\0\x04TZDB\0"),
    _Sort(
        "magic",
        "compiled magic of file(1)",
        "file(1), apprentice.c",
        rb"\x1c\x04\x1e\xf1[\x01-\x3f]\0\0\0",
        ("mgc",),
    ),
    _Sort("mimemagic", "magic of MIME types", "shared-mime-info, 2.4", rb"MIME-(?:Tree)?Magic\0\n"),
    _Sort(
        "gdbm",
        "GNU dbm database",
        "gdbm gdbmdefs.h",
        rb"[\xcd-\xd0]\x9a\x57\x13..[\0-\x0f]\0|\x13\x57\x9a[\xcd-\xd0]\0[\0-\x0f]",
    ),
    _Sort(
        "berkeleydb",
        "Berkeley DB database",
        "Berkeley DB db_page.h",
        rb".{12}(?:\0\x05\x31\x62|\x62\x31\x05\0|\0\x06\x15\x61|\x61\x15\x06\0|\0\x04\x22\x53|\x53\x22\x04\0"
        rb"|\0\x04\x09\x88|\x88\x09\x04\0)(?:\0\0\0[\x01-\x1f]|[\x01-\x1f]\0\0\0)",
    ),
    _Sort("fontcache", "cache of fontconfig", "fontconfig fcint.h", rb"\x04\xfc\x02\xfc[\x01-\x1f]\0\0\0"),
    _Sort("aptcache", "cache of packages", "apt pkgcache.h", rb"\xdc\x76\xfe\x98"),
    _Sort("vimspell", "spelling list of Vim", "Vim spellfile.c", rb"VIMspell[\x02-\x7f]|VIMsug[\x01-\x7f]"),
    _Sort("dafsa", "list of public suffixes", "libpsl", rb"\.DAFSA@PSL_\d"),
    _Sort("trie", "trie of libdatrie", "libdatrie alpha-map.c", rb"\xd9\xfc\xd9\xfc\0"),
    _Sort("rmeta", "metadata of a Rust crate", "rustc_metadata", rb"rust\0\0\0[\x01-\x3f]", ("rmeta",)),
    _Sort("topology", "topology of a sound card", "ALSA asoc.h", rb"(?:CoSA|ASoC)[\0-\x0f]\0\0[\0-\x0f]"),
    _Sort("nsscheck", "signature of an NSS library", "NSS shsign.h", rb"\xf1\xc5[\x01\x02][\0-\x0f]\0\0\0"),
    _Sort("dsstore", "folder settings of macOS", "Mac::Finder::DSStore", rb"\0\0\0\x01Bud1", ("ds_store",)),
    _Sort(
        "v8snapshot",
        "snapshot of V8",
        "V8 snapshot.cc",
        rb"[\x01-\x0f]\0\0\0[\0\x01]\0\0\0.{4,8}?\d\d\.\d{1,2}\.\d{1,4}\.\d",
    ),
    _Sort("icns", "icons of macOS", "Apple IconServices", rb"icns\0...[A-Za-z#0-9 ]{4}\0", ("icns",)),
    _Sort("applescript", "compiled AppleScript", "Apple OSA", rb"FasdUAS \d\.\d", ("scpt",)),
    _Sort("sphinx", "inventory of Sphinx", "sphinx.util.inventory", rb"# Sphinx inventory version \d"),
    _Sort("kernel", "Linux kernel", "Linux Documentation/arch/x86/boot.rst", rb".{510}\x55\xaa.{2}HdrS"),
    _Sort(
        "microcode",
        "microcode of a processor",
        "Intel SDM 3A 11.11",
        rb"\x01\0\0\0.{5}\x20[\x01-\x31][\x01-\x12].{8}\x01\0\0\0|DMA\0\0\0\0\0",
    ),
    _Sort(
        "pickle",
        "pickled Python objects",
        "PEP 3154, PEP 307",
        rb"\x80[\x04\x05]\x95.{4}\0\0|\x80[\x02-\x05]c[a-zA-Z_][\w.]*\n\w+\n",
    ),
    _Sort(
        "gitcache",
        "what Git keeps to be quick",
        "gitformat-index(5), gitformat-commit-graph(5)",
        rb"DIRC\0\0\0[\x02-\x04]|RIDX\0\0\0\x01|CGPH\x01[\x01\x02]|MIDX[\x01\x02][\x01\x02]|BITM\0\x01",
    ),
    _Sort("icc", "colour profile", "ICC.1:2022, 7.2", rb"\0.{7}[\x01-\x05].{27}acsp", ("icc", "icm")),
    _Sort(
        "shortcut",
        "Windows shortcut",
        "MS-SHLLINK 2.1",
        rb"\x4c\0\0\0\x01\x14\x02\0{5}\xc0\0{6}\x46",
        ("lnk",),
    ),
    _Sort(
        "prefetch",
        "prefetch file of Windows",
        "libscca, 3",
        rb"[\x11\x17\x1a\x1e\x1f]\0\0\0SCCA|MAM[\x04\x84]",
        ("pf",),
    ),
)


def _locale(head: bytes) -> bool:
    """A category of a locale: a magic for each, then its elements' offsets (glibc localeinfo.h)."""
    if len(head) < 12:
        return False
    magic, count, first = struct.unpack_from("<3L", head)
    known = {0x20051014 ^ 3, 0x20090720} | {0x20031115 ^ category for category in range(1, 13)}
    return bool(magic in known and 0 < count < 1024 and 8 + 4 * count <= first <= 16 + 4 * count)


def _pak(head: bytes) -> bool:
    """Resources of Chromium, version 5: the first resource lies right behind the tables."""
    if len(head) < 18 or head[:4] != b"\x05\0\0\0" or head[4] > 2 or any(head[5:8]):
        return False
    resources, aliases, _, first = struct.unpack_from("<3HL", head, 8)
    return bool(first == 12 + (resources + 1) * 6 + aliases * 4)


def _matcher(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda head: bool(compiled.match(head))


def _dissector(name: str, recognises: Callable[[bytes], bool]) -> Dissect:
    def dissect(blob: Blob, _effort: int = EFFORT, /) -> Anatomy:
        if not recognises(blob.at(0, HEAD)):
            raise Malformed(0, f"no header of a file of kind {name}")
        return Anatomy(name, (Region(0, blob.size, Kind.OPAQUE, "content"),))

    return dissect


_PLAIN = frozenset({"sphinx", "dafsa", "pickle"})


def _format(sort: _Sort, recognises: Callable[[bytes], bool]) -> Format:
    return Format(
        name=sort.name,
        title=sort.title,
        specification=sort.specification,
        suffixes=(),
        recognises=recognises,
        dissect=_dissector(sort.name, recognises),
        weak_suffixes=sort.weak_suffixes,
        plain=sort.name in _PLAIN,
    )


FORMATS = (
    *(_format(sort, _matcher(sort.head)) for sort in _SORTS),
    _format(_Sort("locale", "category of a locale", "glibc localeinfo.h", b""), _locale),
    _format(_Sort("pak", "resources of Chromium", "Chromium data_pack.cc", b""), _pak),
)
