"""`python -m vigie` is the same as `vigie`."""

from vigie.ui.cli import main

main()
