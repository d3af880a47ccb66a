"""Formats: data."""
