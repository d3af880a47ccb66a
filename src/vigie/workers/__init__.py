"""Where bytes that somebody else wrote are parsed: worker processes without privileges and with limits.

The rooms below are pure; this one runs the judge where a poisonous file can do no harm. The parent opens a
file and hands over nothing but its descriptor and its name; the worker answers with one line of JSON.
"""

from vigie.workers.limits import Isolation
from vigie.workers.pool import Workers

__all__ = ["Isolation", "Workers"]
