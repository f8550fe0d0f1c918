"""What a model, or a decoder of media, says of an input, as an error."""

from __future__ import annotations

from hub.errors import Unprocessable


def refused(sentences: str, param: str) -> Unprocessable:
    """The error for `sentences`: what is wrong with `param`, and behind it what helps."""
    message, _, remedy = sentences.partition(". ")
    return Unprocessable(f"{message.removesuffix('.')}.", param=param, reason="model_refused", remedy=remedy or None)
