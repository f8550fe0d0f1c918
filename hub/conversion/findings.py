"""What conversions have found out, kept beside their work for another attempt after a kill."""

from __future__ import annotations

import asyncio
from pathlib import Path

from converters.invocation import FINDINGS
from converters.removal import discard
from hub.conversion import repository
from registry.database import Database
from registry.tables import Version


class Findings:
    """A directory for each version whose conversion is to go on."""

    def __init__(self, work_directory: Path) -> None:
        self._work_directory = work_directory

    def of(self, version: Version) -> Path:
        """Where the conversion of a version keeps them; it need not be there."""
        return self._work_directory / f"{version.serving_name}{FINDINGS}"

    async def remove(self, version: Version) -> None:
        """Remove those of a version that nobody converts again."""
        await asyncio.to_thread(discard, self.of(version))

    async def remove_orphans(self, database: Database) -> None:
        """Remove those of versions that no job is to convert: a worker that was killed in between left them."""
        there = list(self._work_directory.glob(f"*{FINDINGS}"))  # first: what is made from here on has a job
        async with database.read() as session:
            awaited = await repository.awaited(session)
        for path in there:
            if path.name.removesuffix(FINDINGS) not in awaited:
                await asyncio.to_thread(discard, path)
