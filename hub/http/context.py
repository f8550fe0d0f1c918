"""The outermost layer: a request id in and out, the clock of the request, and its place in the metrics."""

from __future__ import annotations

import re
import time
from importlib.metadata import version

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.observability.metrics import Metrics
from registry.ids import new_id

_CORRELATION = re.compile(r"[\x21-\x7e]{1,128}")
_VERSION = version("conch").encode()


class RequestContext:
    """ASGI middleware that gives each request an id and a start time in `scope["state"]`.

    The caller's `x-request-id` is echoed for correlation; what is billed goes by the server's own id, which is
    `x-conch-request-id`. Whatever is put
    into `state["headers"]` on the way is sent with the answer, error or not.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["started"] = time.perf_counter()
        state["request_id"] = request_id = new_id()
        correlation = _correlation(scope) or str(request_id)
        state["correlation_id"] = correlation
        extra = [
            (b"x-request-id", correlation.encode()),
            (b"x-conch-request-id", str(request_id).encode()),
            (b"x-conch-version", _VERSION),
        ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra, *state.get("headers", ())]
                route = state.get("route") or getattr(scope.get("route"), "path", "none")
                self._metrics.answered(route, message["status"], time.perf_counter() - state["started"])
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _correlation(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            return text if _CORRELATION.fullmatch(text) else None
    return None
