"""restic repositories, formats 1 and 2, read natively: no lock, no write, no restic program.

A *repository* is a set of files reached through a *transport*; a *key* opens them. A *snapshot* points to a
*tree*, a tree lists *nodes*, and a file's node lists *blobs*: bytes under their SHA-256. Blobs lie in
*packs*, and the *index* says where (restic doc/design.rst).
"""

from vigie.sources.restic.source import ResticSource

__all__ = ["ResticSource"]
