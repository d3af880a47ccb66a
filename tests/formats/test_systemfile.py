"""Caches and tables of the system: each known by its head, none by chance."""

import random
import struct

import pytest

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.program.systemfile import FORMATS
from vigie.model import Kind

BY_NAME = {form.name: form for form in FORMATS}
HEADS = {
    "xcursor": b"Xcur\x10\0\0\0\0\0\x01\0",
    "typelib": b"GOBJ\nMETADATA\r\n\x1a\4",
    "gvariant": b"GVariant" + bytes(8),
    "iconcache": b"\0\1\0\0\0\0\0\x0c\0\1\xdd\x64\0\0\2-",
    "mimecache": b"\0\1\0\2" + b"".join(n.to_bytes(4, "big") for n in range(40, 4000, 400)),
    "hwdb": b"KSLPHHRH",
    "catalog": b"RHHHKSLP" + bytes(8),
    "journal": b"LPKSHHRH",
    "ldcache": b"glibc-ld.so.cache1.1",
    "gconv": b"\x24\3\1\x20\x10\0",
    "localearchive": b"\x09\1\2\xde\x38\0\0\0\x90\3\0\0",
    "encmap": b"\xfe\xeb\xfa\xcewindows-1252\0",
    "icu": b"\x90\0\xda\x27\x14\0\0\0\0\0\2\0CmnD",
    "jsa": b"\xa2\xab\x0b\xf0\x92\x92\x9a\x29\x0b\0\0\0",
    "jimage": b"\xda\xda\xfe\xca\0\0\1\0",
    "keystore": b"\xfe\xed\xfe\xed\0\0\0\2",
    "tzdb": b"\1\0\4TZDB\0",
    "magic": b"\x1c\4\x1e\xf1\x12\0\0\0",
    "mimemagic": b"MIME-Magic\0\n",
    "gdbm": b"\xcf\x9a\x57\x13\0\x10\0\0",
    "berkeleydb": bytes(12) + b"\x62\x31\5\0\x09\0\0\0",
    "fontcache": b"\4\xfc\2\xfc\x08\0\0\0",
    "aptcache": b"\xdc\x76\xfe\x98",
    "vimspell": b"VIMspell2",
    "dafsa": b".DAFSA@PSL_0   \n",
    "trie": b"\xd9\xfc\xd9\xfc\0\0",
    "rmeta": b"rust\0\0\0\x0a",
    "topology": b"CoSA\5\0\0\0",
    "nsscheck": b"\xf1\xc5\1\2\0\0\0\x0c",
    "dsstore": b"\0\0\0\1Bud1",
    "v8snapshot": b"\1\0\0\0\1\0\0\0\x49\xa5\x80\x55\xcd\xae\x6d\x0c15.6.75.3",
    "icns": b"icns\0\0\xb2\xabit32\0\0\x72\x9b",
    "applescript": b"FasdUAS 1.101.10",
    "sphinx": b"# Sphinx inventory version 2\n",
    "kernel": bytes(510) + b"\x55\xaa\xeb\x66HdrS",
    "microcode": b"\1\0\0\0\xf0\0\0\0\x23\x20\x14\x07" + bytes(8) + b"\1\0\0\0",
    "pickle": b"\x80\4\x95\x10\0\0\0\0\0\0\0",
    "gitcache": b"DIRC\0\0\0\2",
    "icc": b"\0\0\x22\x38lcms\4\0\0\0mntrRGB XYZ " + bytes(12) + b"acsp",
    "shortcut": b"\x4c\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0\x46",
    "prefetch": b"\x1e\0\0\0SCCA",
    "locale": struct.pack("<3L", 0x20031115 ^ 2, 46, 8 + 4 * 46),
    "pak": b"\5\0\0\0\1\0\0\0\x02\0\1\0\xa0\x37" + (12 + 18 + 4).to_bytes(4, "little"),
}


def test_every_kind_has_a_head_here() -> None:
    assert set(HEADS) == set(BY_NAME)


@pytest.mark.parametrize("name", HEADS)
def test_a_kind_is_known_by_its_head_alone(name: str) -> None:
    head = HEADS[name] + b"content" * 10
    assert next(form.name for form in FORMATS if form.recognises(head)) == name
    (region,) = BY_NAME[name].dissect(Bytes(head)).regions
    assert (region.start, region.end, region.kind) == (0, len(head), Kind.OPAQUE)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_nothing_else_is_taken_for_it(form: object) -> None:
    dice = random.Random(11)
    known = BY_NAME[form.name]  # type: ignore[attr-defined] # parametrised
    for data in (b"", b"\0", bytes(HEAD), b"\xff" * HEAD, b"a" * HEAD, b"\1\0\0\0" * 99, b"text\n" * 40):
        assert not known.recognises(data)
        with pytest.raises(Malformed):
            known.dissect(Bytes(data))
    assert not any(known.recognises(dice.randbytes(600)) for _ in range(3000))


def test_heads_that_are_nearly_right() -> None:
    assert not BY_NAME["locale"].recognises(b"\x17\x10\5\x20")
    assert not BY_NAME["pak"].recognises(HEADS["pak"][:-4] + b"\xff" * 4)
    assert not BY_NAME["mimecache"].recognises(b"\0\1\0\0" + bytes(60))
