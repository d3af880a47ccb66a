"""Writes the parts of docs/ that follow from the code; with --check, says whether they still do.

    python docs/generate.py [--check]

- docs/architecture.md: the diagram of imports, from the contracts in pyproject.toml;
- docs/formats.md: the catalogue of formats;
- docs/settings.md: every setting of vigie.toml, its default and its meaning.
"""

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from vigie import config
from vigie.formats import CATALOGUE

DOCS = Path(__file__).resolve().parent
NOTE = "<!-- written by docs/generate.py: change the code, then run `make docs` -->"


def diagram() -> str:
    """A Mermaid diagram of the layers, top to bottom, as import-linter enforces them."""
    settings = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in settings["contracts"] if c["type"] == "layers")
    layers = [[part.strip() for part in layer.split("|")] for layer in contract["layers"]]
    rows = [[room for room in layer if not room.startswith(("(", "__"))] for layer in layers]
    lines = ["```mermaid", "flowchart TD"]
    for number, row in enumerate(rows := [row for row in rows if row]):
        boxes = "; ".join(f"{room}[{room}]" for room in row)
        lines.append(f"    subgraph L{number}[ ]\n        direction LR\n        {boxes}\n    end")
    lines += [f"    L{number} --> L{number + 1}" for number in range(len(rows) - 1)]
    return "\n".join([*lines, "```"])


KINDS = {
    "health": "Health",
    "office": "Office",
    "media": "Images, sound, video, fonts",
    "archive": "Archives, containers, legitimate encryption",
    "data": "Databases and scientific data",
    "program": "Programs, and what else lies on a disk",
}


def formats() -> str:
    """The catalogue, one table a kind, one row a format."""
    lines = [
        "# Formats\n",
        NOTE + "\n",
        "What Vigie knows of healthy files. A format is recognised by its content first, by its name second;",
        "[CONTRIBUTING.md](../CONTRIBUTING.md) says how to add one. An ending in brackets only hints.\n",
    ]
    modules = {form.name: inspect.getmodule(form.dissect) for form in CATALOGUE}
    for folder, title in KINDS.items():
        lines += [f"## {title}\n", "| name | what | endings | written down in | code, and how it is tested |"]
        lines.append("|---|---|---|---|---|")
        for form in CATALOGUE:
            module = modules[form.name]
            assert module is not None
            code = module.__name__.replace(".", "/")
            if code.split("/")[2] == folder:
                endings = " ".join([*form.suffixes, *(f"({suffix})" for suffix in form.weak_suffixes)])
                tested = " ".join((module.__doc__ or "").partition("\n\n")[0].split()).replace("|", "\\|")
                lines.append(
                    f"| {form.name} | {form.title} | {endings} | {form.specification} "
                    f"| [{code.rpartition('/')[2]}.py](../src/{code}.py): {tested} |"
                )
        lines.append("")
    return "\n".join(lines)


def settings() -> str:
    """Every setting, from the docstrings under the fields of `vigie.config`."""
    said = dict(_docstrings())
    lines = ["# Settings: `vigie.toml`\n", NOTE + "\n", (config.__doc__ or "").partition("\n\n")[2]]
    for name, field in config.Settings.model_fields.items():
        section: Any = field.annotation
        assert issubclass(section, BaseModel)
        lines += [f"## `[{name}]`\n", "| setting | default | meaning |", "|---|---|---|"]
        for key, inner in section.model_fields.items():
            default = inner.default if inner.default != () else []
            lines.append(f"| `{key}` | `{default!r}` | {said[section.__name__, key]} |")
        lines.append("")
    return "\n".join(lines)


def _docstrings() -> Iterator[tuple[tuple[str, str], str]]:
    for cls in ast.parse(inspect.getsource(config)).body:
        if isinstance(cls, ast.ClassDef):
            for field, text in zip(cls.body, cls.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    value = (
                        text.value.value
                        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                        else ""
                    )
                    yield (cls.name, field.target.id), str(value).replace("\n    ", " ")


def main() -> int:
    """Write, or compare."""
    architecture = DOCS / "architecture.md"
    drawn = re.sub(
        r"(<!-- imports -->\n).*?(<!-- /imports -->)",
        lambda found: f"{found[1]}{diagram()}\n{found[2]}",
        architecture.read_text(),
        flags=re.DOTALL,
    )
    pages = {architecture: drawn, DOCS / "formats.md": formats(), DOCS / "settings.md": settings()}
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/{name} does not follow from the code any more: run `make docs`")
        return 1 if stale else 0
    for path, text in pages.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
