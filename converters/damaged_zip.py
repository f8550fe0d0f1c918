"""What Python's zipfile raises for an archive that does not hold what it says."""

from __future__ import annotations

import zipfile
import zlib

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)
"""A record, a stream or a checksum that is wrong, one that ends early, a feature or a name that is not read."""
