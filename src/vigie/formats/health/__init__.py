"""Formats: health."""
