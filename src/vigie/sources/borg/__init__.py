"""borg 1.x repositories, read through the stock borg program, without a lock and without a write.

borg is given a *shadow*: a private folder of symbolic links to the files of the repository, in which it may
lock and cache as it likes. A *listing* is what an archive holds, with the ids of the chunks that each file is
made of; the *reader* brings bytes, many files a run. docs/decisions/0011 says why.
"""

from vigie.sources.borg.source import BorgSource

__all__ = ["BorgSource"]
