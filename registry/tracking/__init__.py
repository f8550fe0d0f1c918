"""MLflow both ways: its models are sources of conversions, and each conversion is a run in it.

Importing this is quick; mlflow itself is imported with the first call. All calls block: from asyncio, in a thread.
"""

from registry.tracking.artefacts import Limits
from registry.tracking.conversion import ConversionFailure, ConversionRecord
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
    "fetch",
    "is_reference",
    "record",
    "tracking",
]
