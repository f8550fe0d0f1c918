"""What a client would rather have, as its `Accept` header says it (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type of `offered` to which `accept` gives the greatest weight; the first of equals.

    Each is weighed by the range that describes it most closely: `text/html` before `text/*` before `*/*`.
    """
    weights = dict(_range(entry) for entry in accept.split(",") if entry.strip())

    def weight(media_type: str) -> float:
        ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        return next((weights[media_range] for media_range in ranges if media_range in weights), 0.0)

    return max(offered, key=weight)


def _range(entry: str) -> tuple[str, float]:
    """A media range and its weight, 0 to 1; a weight that is none counts as 0."""
    media_range, *parameters = (part.strip().lower() for part in entry.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return media_range, _weight(value.strip())
    return media_range, 1.0


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
