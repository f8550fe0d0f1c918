"""What a conversion may be asked for, and what the child says of a request that is none."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from converters.request import ConversionRequest


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.5, 1e10])
def test_a_bound_is_a_number_that_can_be_kept(value: float) -> None:
    with pytest.raises(ValidationError, match=r"budget\.cosine"):
        ConversionRequest(source=Path("source"), task="tensor", budget={"cosine": value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 0, 86401])
def test_a_time_limit_is_at_most_a_day(value: float) -> None:
    with pytest.raises(ValidationError, match="time_limit"):
        ConversionRequest(source=Path("source"), task="tensor", time_limit=value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "request.json holds no request"),
        (
            '{"request": {"source": "s", "task": "tensor", "budget": {"cosine": null}}, '
            '"limits": {"seconds": 60, "memory_bytes": 1000000000}}',
            "request.budget.cosine",
        ),
    ],
)
def test_the_child_says_what_is_wrong_with_a_request(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    if content is not None:
        path.write_text(content)
    places = ["--source", str(tmp_path), "--output", str(tmp_path), "--parent", str(os.getpid())]
    ended = subprocess.run(
        [sys.executable, "-m", "converters", "convert", "--request", str(path), *places],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    event = json.loads(ended.stdout)
    assert (event["event"], event["data"]["kind"]) == ("error", "ConversionFailed")
    assert said in event["data"]["message"]
