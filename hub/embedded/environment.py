"""The environments of the child processes."""

from __future__ import annotations

import os

# What a server of others needs to run and to find its way; nothing of ours, no secrets of the operator.
_PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def inherited() -> dict[str, str]:
    """Everything of this process: the hub and the worker read their further settings from it."""
    return dict(os.environ)  # noqa: TID251 - handed on to our own processes, not read


def plain() -> dict[str, str]:
    """The little that PostgreSQL, Redis and Triton need."""
    return {name: value for name, value in inherited().items() if name in _PLAIN}
