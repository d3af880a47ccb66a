"""Is this file healthy? Randomness kernels and rules: `Blob -> Verdict`. Pure."""

from vigie.judge.explanation import Explanation, Stretch, explain
from vigie.judge.kernels import glance
from vigie.judge.verdict import Findings, examine, judge

__all__ = ["Explanation", "Findings", "Stretch", "examine", "explain", "glance", "judge"]
