"""One data plane: what calls Triton, and what joins rows into batches, is in one place each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hub

_PACKAGE = Path(hub.__file__).parent


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (r"ModelInfer\(|ModelInferRequest", {"inference/triton_call.py"}),
        (r"\binfer_batch\b", {"inference/triton_call.py", "inference/coalescer.py"}),
        (r"\bCoalescer\b", {"inference/coalescer.py", "inference/plane.py", "app.py"}),
        (r"coalescer\.infer\(", {"inference/plane.py"}),
        (r"meter\.book\(", {"inference/plane.py"}),
    ],
)
def test_only_these_files_mention(pattern: str, places: set[str]) -> None:
    found = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        if re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found == places
