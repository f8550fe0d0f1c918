"""What a new version may say."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from hub.catalogue.schemas import NewVersion


@pytest.mark.parametrize(
    "uri", ["models:/name/3", "models:/modèle/1", "models:/a b@best", "models:/m-0123", "runs:/0123/deep/model"]
)
def test_a_source_is_what_can_be_fetched(uri: str) -> None:
    assert NewVersion.model_validate({"source_uri": uri}).source_uri == uri


@pytest.mark.parametrize(
    "uri", ["models:/m", "models:/../../etc/passwd", "models:/name/latest", "models:/\ud800/1", "file:///etc", ""]
)
def test_another_source_is_refused_with_the_forms_there_are(uri: str) -> None:
    with pytest.raises(ValidationError, match=r"models:/name@alias|unicode"):
        NewVersion.model_validate({"source_uri": uri})


@pytest.mark.parametrize("number", ["0.5", True, None, math.nan, math.inf, -0.1])
def test_a_bound_is_a_number(number: object) -> None:
    files = {"model.onnx": "0" * 64}
    with pytest.raises(ValidationError):
        NewVersion.model_validate({"files": files, "budget": {"cosine": number}})


@pytest.mark.parametrize("number", ["60", True, math.nan, math.inf, 0.5])
def test_a_time_limit_is_a_number_of_seconds(number: object) -> None:
    with pytest.raises(ValidationError):
        NewVersion.model_validate({"files": {"model.onnx": "0" * 64}, "time_limit_seconds": number})


def test_a_whole_number_is_a_number() -> None:
    version = NewVersion.model_validate(
        {"files": {"model.onnx": "0" * 64}, "budget": {"cosine": 1}, "time_limit_seconds": 60}
    )
    assert (version.budget, version.time_limit_seconds) == ({"cosine": 1.0}, 60.0)
