"""Is this file healthy? Randomness kernels and rules: `Blob -> Verdict`. Pure."""

from vigie.judge.kernels import glance
from vigie.judge.verdict import judge

__all__ = ["glance", "judge"]
