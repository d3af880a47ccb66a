"""Bytes at rest, read-only: folders and backup repositories, as entries, snapshots and versions."""
