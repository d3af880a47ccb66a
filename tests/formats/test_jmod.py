"""Java modules: a ZIP file behind four bytes."""

import io
import random
import zipfile

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.jmod import FORMAT, dissect


def healthy() -> bytes:
    dice = random.Random(6)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(4):
            file.writestr(f"classes/org/vigie/{number}.class", dice.randbytes(5000) + bytes(3000))
    return b"JM\1\0" + buffer.getvalue()


def test_members_are_tested_where_they_stand() -> None:
    data = healthy()
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.format, anatomy.flaws) == ("jmod", ())
    assert anatomy.checked > 20_000
    struck = bytearray(data)
    struck[8000:8100] = random.Random(1).randbytes(100)
    flaws = dissect(Bytes(bytes(struck))).flaws
    assert flaws
    assert all(4 < flaw.start < flaw.end <= len(data) for flaw in flaws)


def test_what_is_no_module() -> None:
    for bad, offset in ((b"", 0), (b"JM\1", 0), (b"JM\1\0" + b"x" * 90, 4)):
        assert not FORMAT.recognises(bad)
        with pytest.raises(Malformed) as raised:
            dissect(Bytes(bad))
        assert raised.value.offset == offset
