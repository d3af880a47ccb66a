"""Have numba check every index of the loops it compiles; to be imported before anything that brings numba.

Without it, an index out of bounds reads or writes foreign memory, and nobody notices. Code compiled so is
kept apart from that of ordinary runs: numba does not tell them from each other.
"""

import os
from pathlib import Path

KEPT = Path.home() / ".cache" / "vigie-fuzz"
"""Where it is kept from run to run."""

os.environ["NUMBA_BOUNDSCHECK"] = "1"
os.environ["NUMBA_CACHE_DIR"] = str(KEPT)
