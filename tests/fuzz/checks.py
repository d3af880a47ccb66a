"""What every format promises on every input (`formats/contract.py`), for fuzzing and for tests."""

import sys
import time
import traceback

from vigie.formats import HEAD, Format
from vigie.formats.contract import Bytes, Malformed
from vigie.judge import judge
from vigie.model import Anatomy

EFFORT = 4 * 1024 * 1024
"""Bytes a dissection may decode here; the files are a hundredth of that."""
MANY = 20_000
"""Regions, flaws or notes beyond which an anatomy is not bounded."""
SLOW = 2.0
"""Seconds of processor time that a look at a few hundred KiB may cost."""


class BrokenPromiseError(Exception):
    """A format did something that its contract says it never does: which promise, and how it was broken."""


def check(form: Format, data: bytes, seconds: float = SLOW) -> None:
    """Have one format look at some bytes, alone and through the judge.

    Raises:
        BrokenPromiseError: edges out of order or out of the file, too many of them, or too much time.
        Exception: whatever escaped from the format or the judge.
    """
    began = time.process_time()
    known: object = form.recognises(data[:HEAD])
    if not isinstance(known, bool):
        raise BrokenPromiseError("recognises() says yes or no", known)
    try:
        anatomy = form.dissect(Bytes(data), EFFORT)
    except Malformed as malformed:
        if not 0 <= malformed.offset <= len(data):
            raise BrokenPromiseError("what is malformed lies in the file", malformed.offset) from malformed
    else:
        _in_order(anatomy, len(data))
    suffix = next(iter(form.suffixes + form.weak_suffixes), "unheard-of")
    judge(Bytes(data), f"x.{suffix}")
    spent = time.process_time() - began
    if spent > seconds:
        raise BrokenPromiseError("a look is quick", spent)


def _in_order(anatomy: Anatomy, size: int) -> None:
    at = 0
    for region in anatomy.regions:
        if not at <= region.start <= region.end <= size:
            raise BrokenPromiseError("regions rise without overlap within the file", region)
        at = region.end
    for flaw in anatomy.flaws:
        if not 0 <= flaw.start <= flaw.end <= size:
            raise BrokenPromiseError("flaws lie in the file", flaw)
    for what in (anatomy.regions, anatomy.flaws, anatomy.notes):
        if len(what) > MANY:
            raise BrokenPromiseError(f"at most {MANY} regions, flaws or notes", len(what))
    if anatomy.checked < 0:
        raise BrokenPromiseError("what was checked is counted", anatomy.checked)


def fault(form: Format, data: bytes, seconds: float = SLOW) -> str | None:
    """The fault that `check` meets, named so that one mistake has one name; nothing if all is well."""
    try:
        check(form, data, seconds)
    except Exception as error:  # noqa: BLE001 - whatever escapes is what is looked for
        if isinstance(error, BrokenPromiseError):
            return f"{form.name}: broken promise: {error.args[0]}"
        ours = [f for f in traceback.extract_tb(sys.exc_info()[2]) if "/vigie/" in f.filename]
        where = f"{ours[-1].filename.rpartition('/vigie/')[2]}:{ours[-1].lineno}" if ours else "?"
        return f"{form.name}: {type(error).__name__} in {where}"
    return None
