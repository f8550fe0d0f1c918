"""What the supervisor knows of each part: how to start it, where it is and how to ask for its health."""

from __future__ import annotations

from typing import Protocol

from hub.embedded.child import Launch


class Part(Protocol):
    """A server or a process of Conch, embedded or external."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def address(self) -> str:
        """Where it is, without secrets."""

    @property
    def start_seconds(self) -> float:
        """How long it may take to become healthy."""

    async def launch(self) -> Launch | None:
        """Make ready for a start and say how; None for a server that somebody else runs."""

    async def check(self) -> str:
        """Its version, from a healthy server. Raises NotReady."""
