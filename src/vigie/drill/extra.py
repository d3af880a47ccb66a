"""The optional libraries the invented practice is made with, loaded only when a document needs them."""

import importlib
from typing import Any

from vigie.errors import MissingProgram

PACKAGES = {
    "PIL": "pillow",
    "docx": "python-docx",
    "pydicom": "pydicom",
    "pyzipper": "pyzipper",
    "reportlab": "reportlab",
}
"""Top-level module -> the name it is installed under."""


def load(module: str) -> Any:
    """The module, imported now.

    Raises:
        MissingProgram: the package is not installed.
    """
    top = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A broken installation of the package itself is a bug to show, not a package to install.
        if (error.name or "").partition(".")[0] != top:
            raise
        raise MissingProgram(
            PACKAGES[top],
            "is not installed, and the drill makes its documents with it",
            "pip install 'vigie[drill]'",
        ) from error
