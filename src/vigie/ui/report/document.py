"""What every page of a report is written into: one self-contained document, for a screen or for paper.

It loads nothing and runs nothing (its own content security policy says so): the language is chosen with two
radio buttons and CSS.
"""

from html import escape
from importlib import resources

from vigie.ui.printable import printable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(main: str, *, mark: str, titles: tuple[str, str], styles: tuple[str, ...]) -> str:
    """The page: HTML `main` in French and English, below a switch between the two.

    `mark` is the comment by which such a report is known again, `titles` are the French and the English one,
    `styles` names files of this folder.
    """
    folder = resources.files("vigie.ui.report")
    style = "".join(folder.joinpath(name).read_text("utf-8") for name in styles)
    return (
        f'<!DOCTYPE html>\n{mark}\n<html lang="fr">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{' · '.join(titles)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        '<input class="switch" type="radio" name="language" id="fr" checked>\n'
        '<input class="switch" type="radio" name="language" id="en">\n'
        '<div class="languages"><label for="fr" lang="fr">Français</label>'
        '<label for="en" lang="en">English</label></div>\n'
        f"<main>\n{main}</main>\n</body>\n</html>\n"
    )


def text(raw: str) -> str:
    """Any string, printable and escaped for HTML."""
    return escape(printable(raw))
