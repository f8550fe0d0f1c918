"""What the processes write to standard error: one line an event."""

from __future__ import annotations

import logging

from hub.settings import LogSettings


def configure(settings: LogSettings) -> None:
    """Send the log of this process to standard error."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
