"""Formats: office."""
