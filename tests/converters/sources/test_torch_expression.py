"""Sizes and guards of torch.export programs: what torch writes passes, and whatever could call Python does not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.sources.detect import inspect
from converters.sources.facts import Format
from converters.sources.torch_expression import is_guard, is_size
from converters.sources.torch_program import to_onnx

SIZES = (
    "s0",
    "-4",
    "Symbol('s77', positive=True, integer=True)",
    "Mul(Integer(2), FloorDiv(Symbol('s27', positive=True, integer=True), Integer(2)))",
    "TruncToInt(Mul(Float('1.5', precision=53), ToFloat(Symbol('s68', positive=True, integer=True))))",
    "GreaterThan(Symbol('u0', integer=True), Integer(0))",
)
GUARDS = (
    "2*L['x'].size()[0] > L['d']['k'].size()[1]",
    "(1 + (((-3) + L['d']['k'].size()[1]) // 2)) != 1",
    "torch.sym_float(L['x'].size()[0]) > (L['x'].size()[1] / 3)",
    "L['rest'][0].stride()[1] == 1 and not L['x'].storage_offset() != 0",
)
HOSTILE = (
    "(exec)((chr)(111)+(chr)(112))",
    "Max((exec)(1), 2)",
    "exec(1)",
    "(lambda: 1)()",
    "(1).__class__",
    "s0.__class__.__bases__[0]",
    "torch.hub.load(1)",
    "math.__loader__.load_module(1)",
    "Max(*s0)",
    "Max(1)(2)",
    "Max(1, key=exec)",
    "[exec for s0 in s1]",
    "{s0: 1}",
    "(s0 := 1)",
    "1 if exec else 2",
    "f'{exec(1)}'",
    "'text'",
    "Symbol('a b')",
    "Symbol('s0', positive=exec)",
    "L['x'].size(exec)[0]",
    "L['x'].size()[exec(1)]",
    "L['x'].data",
    "L['x\"'].size()[0]",
    "s0 in s1",
    "1  # exec",
    "(1\n)",
    "ｅxec(1)",
    "\0",
    "",
    "(" * 500 + "1" + ")" * 500,
    "-" * 9000 + "1",
    "L" + ".x" * 4000,
    "0x" + "f" * 9000 + " in s0",
    "1 + " * 3000 + "1",
)


@pytest.mark.parametrize("text", SIZES)
def test_a_size_as_torch_writes_it_is_arithmetic(text: str) -> None:
    assert is_size(text)


@pytest.mark.parametrize("text", GUARDS)
def test_a_guard_as_torch_writes_it_compares_sizes(text: str) -> None:
    assert is_guard(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_could_call_python_passes(text: str) -> None:
    assert not is_size(text)
    assert not is_guard(text)


def test_what_this_torch_writes_passes_and_is_exported(tmp_path: Path) -> None:
    """Sizes that are divided, rounded and scaled, guards between inputs, in dictionaries and by float arithmetic."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv1d(1, 2, 3, stride=2)

        def forward(self, x: torch.Tensor, d: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
            z = x + 1 if x.shape[0] * 2 > d["k"].shape[1] / 3 else x
            half = d["k"].shape[1] // 2
            larger = torch.nn.functional.interpolate(d["k"][:, None, : half * 2], scale_factor=1.5)
            return z, self.convolution(larger), d["k"][:, : half * 2].reshape(d["k"].shape[0], half, 2)

    auto = torch.export.Dim.AUTO
    program = torch.export.export(
        Net().eval(),
        (torch.zeros(7, 8),),
        {"d": {"k": torch.zeros(3, 12)}},
        dynamic_shapes={"x": {0: auto}, "d": {"k": {0: auto, 1: auto}}},
        strict=False,
    )
    path = tmp_path / "model.pt2"
    torch.export.save(program, path, extra_files={"notes.txt": "of the owner"})
    written = list(_expressions(path))
    assert any(".size()" in text for text in written)
    assert any("Float(" in text for text in written)
    inspect(tmp_path, "tensor", allow_pickle=True)
    graph = to_onnx(path, Format.TORCH_EXPORT, threads=1).graph
    assert [value.name for value in graph.input] == ["x", "d_k"]
    assert isinstance(graph.input[1].type.tensor_type.shape.dim[1].dim_param, str)


def _expressions(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        program = json.loads(archive.read("model/models/model.json"))
    yield from program["guards_code"]
    pending: list[Any] = [program]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from [value["expr_str"]] if "expr_str" in value else []
            pending += value.values()
        elif isinstance(value, list):
            pending += value
