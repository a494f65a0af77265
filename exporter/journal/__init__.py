"""The journal: every hourly figure X reported, kept in one SQLite file below `state_dir`."""

from __future__ import annotations

from exporter.journal.file import JournalFile
from exporter.journal.values import Bucket, BucketState, SavedState, Settling, StoredBucket, Told

__all__ = ["Bucket", "BucketState", "JournalFile", "SavedState", "Settling", "StoredBucket", "Told"]
