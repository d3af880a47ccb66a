"""Versions kept close: a snapshot of single files, a minute after they were written."""

import os
import tempfile
from collections.abc import Sequence

from vigie.vault.keep import INCOMPLETE, TAG
from vigie.vault.restic import Restic

CLOSE_TAG = "vigie-close"


def keep_close(restic: Restic, paths: Sequence[str], scratch: str) -> None:
    """Keep these files in a snapshot of their own; those that are gone meanwhile are passed over.

    The list of names lies in a file below `scratch`, readable for its owner only, while restic reads it.

    Raises:
        VigieError: restic cannot; the class says why.
    """
    there = [path for path in paths if os.path.isfile(path)]
    if not there:
        return
    with tempfile.NamedTemporaryFile(dir=scratch) as names:  # mode 600
        names.write(b"\0".join(map(os.fsencode, there)) + b"\0")
        names.flush()
        tags = (f"--tag={TAG}", f"--tag={CLOSE_TAG}")
        restic.run("backup", "--quiet", *tags, f"--files-from-raw={names.name}", fine=(0, INCOMPLETE))
