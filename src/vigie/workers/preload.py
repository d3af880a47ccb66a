"""Imported once by the server that workers are forked from: loads the judge and whatever is compiled.

Python imports a character set when it is first used, and a confined worker cannot open files any more: so
all of them are imported here.
"""

import contextlib
import encodings
import gc
import importlib
import pkgutil

from vigie.formats.health import hl7v2
from vigie.formats.media import jpeg_huffman, vp8, vp8l
from vigie.formats.office import json_grammar, text_bytes
from vigie.judge import kernels
from vigie.workers import worker

for _module in pkgutil.iter_modules(encodings.__path__):
    with contextlib.suppress(ImportError):  # mbcs and oem exist on Windows only
        importlib.import_module(f"encodings.{_module.name}")
for _compiled in (kernels, hl7v2, jpeg_huffman, json_grammar, text_bytes, vp8, vp8l):
    _compiled.warm()
# What is loaded by now stays for good: no collection of a worker looks at it, or copies its pages, again.
gc.collect()
gc.freeze()

__all__ = ["worker"]
