"""Formats: archive."""
