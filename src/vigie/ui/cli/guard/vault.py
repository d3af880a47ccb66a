"""Versions kept close: what the guard finds healthy goes into the vault at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from vigie.config import Settings
from vigie.errors import VigieError
from vigie.journal import Baseline
from vigie.ui.cli.sealing import restic_of
from vigie.vault.close import keep_close
from vigie.watch.kept_close import KeptClose
from vigie.watch.log import Emit, timestamp


def kept_close(
    chosen: Settings, roots: tuple[str, ...], state: Path, emit: Emit, stack: ExitStack
) -> Callable[[str], None]:
    """Who is told of each healthy file that was written; `stack` ends it.

    Raises:
        VigieError: the vault cannot be used.
    """
    restic = restic_of(chosen, state)

    def younger(moment_ns: int) -> Iterator[str]:
        with Baseline(state) as baseline:
            for root in roots:
                for known in baseline.below(root):
                    if max(known.mtime_ns, known.ctime_ns) > moment_ns:
                        yield known.path

    failing = False

    def trouble(error: VigieError | None) -> None:
        nonlocal failing
        if failing is (error is not None):
            return
        failing = error is not None
        problem, remedy = (str(error), error.remedy) if error is not None else ("", "")
        stamp = timestamp(time.time_ns())
        emit({"event": "trouble", "time": stamp, "what": "vault", "problem": problem, "remedy": remedy})

    keeping = KeptClose(
        lambda paths: keep_close(restic, paths, str(state)), chosen.guard.keep_close, state, younger, trouble
    )
    stack.callback(keeping.close)
    return keeping.saved
