"""Formats: media."""
