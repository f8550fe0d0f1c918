"""MLflow both ways: its models are sources of conversions, and each conversion is a run in it.

Importing this is quick; mlflow itself is imported with the first call. All calls block: from asyncio, in a thread.
"""

from registry.tracking.artefacts import Limits
from registry.tracking.conversion import ConversionFailure, ConversionRecord
from registry.tracking.directory import LOG_BYTES, end_of_log, record_of
from registry.tracking.errors import (
    SourceRefused,
    SourceUnknown,
    TrackingError,
    TrackingFailed,
    TrackingMissing,
    TrackingUnreachable,
)
from registry.tracking.reference import is_reference
from registry.tracking.runs import EXPERIMENT, record
from registry.tracking.source import Fetched, fetch
from registry.tracking.store import Tracking, tracking

__all__ = [
    "EXPERIMENT",
    "LOG_BYTES",
    "ConversionFailure",
    "ConversionRecord",
    "Fetched",
    "Limits",
    "SourceRefused",
    "SourceUnknown",
    "Tracking",
    "TrackingError",
    "TrackingFailed",
    "TrackingMissing",
    "TrackingUnreachable",
    "end_of_log",
    "fetch",
    "is_reference",
    "record",
    "record_of",
    "tracking",
]
