"""Folders whose subfolders are moments: btrfs, ZFS, rsnapshot, rsync --link-dest, shadow copies."""

from vigie.sources.snapshots.source import SnapshotsSource

__all__ = ["SnapshotsSource"]
