"""Ask the served model what the certified one answered, through Triton, before any tenant does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from registry.spec.signature import DataType
from registry.spec.task import USAGE_OUTPUT
from triton_repo.control import TritonControl
from triton_repo.errors import ProbeFailed
from triton_repo.tensors import Typed, infer_request, outputs

_SECONDS = 120.0  # a few rows on a busy machine; a probe that takes longer is a model nobody can use


async def probe(control: TritonControl, name: str, probe_path: Path, tolerance: float) -> None:
    """Compare the answer of the loaded model `name` with the one recorded in `probe_path`.

    The file is `{"inputs": {name: {"datatype", "shape", "data"}}, "outputs": {…}}`, BYTES in base64. Floating outputs
    may differ by `tolerance` in absolute value, all others not at all, and usage must be answered for every row. Raises
    ProbeFailed.
    """
    recorded = json.loads(probe_path.read_text(encoding="utf-8"))
    inputs, expected = _tensors(recorded["inputs"]), _tensors(recorded["outputs"])
    answered = outputs(await control.infer(infer_request(name, inputs), _SECONDS))
    rows = len(next(iter(inputs.values()))[1])
    usage = answered.pop(USAGE_OUTPUT, None)
    if usage is None or len(usage[1]) != rows:
        raise ProbeFailed(f"{name} does not say what each of {rows} rows consumed")
    for output, (datatype, values) in expected.items():
        if output not in answered:
            raise ProbeFailed(f"{name} does not answer {output}")
        _compare(f"{name}, {output}", (datatype, values), answered[output], tolerance)


def _compare(what: str, expected: Typed, answered: Typed, tolerance: float) -> None:
    (datatype, values), (answered_type, answer) = expected, answered
    if datatype is not answered_type or values.shape != answer.shape:
        raise ProbeFailed(f"{what}: {answered_type} {list(answer.shape)} instead of {datatype} {list(values.shape)}")
    if not np.issubdtype(values.dtype, np.floating):
        different = int((values != answer).sum())
        if different:
            raise ProbeFailed(f"{what}: {different} of {values.size} values differ from the certified ones")
        return
    wrong = ~np.isclose(answer, values, rtol=0, atol=tolerance, equal_nan=True)
    if wrong.any():
        worst = float(np.abs(answer.astype(np.float64) - values)[wrong].max())
        raise ProbeFailed(
            f"{what}: {int(wrong.sum())} of {values.size} values differ by more than {tolerance:g}, at worst {worst:g}"
        )


def _tensors(recorded: dict[str, Any]) -> dict[str, Typed]:
    return {name: _tensor(tensor) for name, tensor in recorded.items()}


def _tensor(recorded: dict[str, Any]) -> Typed:
    datatype = DataType(recorded["datatype"])
    data = recorded["data"]
    if datatype is DataType.BYTES:
        data = [base64.b64decode(element) for element in data]
    return datatype, np.array(data, dtype=datatype.numpy).reshape(recorded["shape"])
