"""The Python client: `from hub.client import Conch`. Needs httpx and nothing of the server."""

from hub.client.errors import ApiError
from hub.client.session import Conch
from hub.client.watching import JobEnd, JobProgress

__all__ = ["ApiError", "Conch", "JobEnd", "JobProgress"]
