"""Is this file healthy? Randomness kernels and rules: `Blob -> Verdict`. Pure."""

from vigie.judge.kernels import glance
from vigie.judge.verdict import Findings, examine, judge

__all__ = ["Findings", "examine", "glance", "judge"]
