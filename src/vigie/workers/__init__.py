"""Where bytes that somebody else wrote are parsed: worker processes without privileges and with limits.

The rooms below are pure; this one runs the judge where a poisonous file can do no harm. The parent opens
files and hands over nothing but their descriptors and their names; the worker answers in JSON. The parent
itself never loads the judge: a command that has nothing to judge starts at once.
"""

from vigie.workers.limits import Isolation
from vigie.workers.pool import Workers

__all__ = ["Isolation", "Workers"]
