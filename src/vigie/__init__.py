"""Vigie keeps health data alive through a ransomware attack."""

__version__ = "0.1.0"
