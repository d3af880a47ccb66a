"""`python benchmarks/timeline`: what it can do stands in `command.py`.

Makers and patterns are those of `benchmarks/verdicts`, which is a folder of scripts as well: it is put on the
path before anything that needs it is imported.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[1] / "verdicts"))
    import_module("command").main()
