"""What happened, so that nobody can quietly change it: a hash-chained journal, and baselines beside it."""

from vigie.journal.baseline import Baseline, Known
from vigie.journal.chain import Journal, Row

__all__ = ["Baseline", "Journal", "Known", "Row"]
