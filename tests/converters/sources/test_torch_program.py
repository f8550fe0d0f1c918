"""torch programs as ONNX: the graph answers what the program does, for sizes that it was not traced with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from converters.errors import ConversionFailed, SourceInvalid
from converters.sources.detect import inspect
from converters.sources.facts import Format
from converters.sources.graphs import load_graphs
from converters.sources.torch_program import to_onnx


def _shapes(values: Iterable[onnx.ValueInfoProto]) -> dict[str, list[int | str]]:
    return {v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim] for v in values}


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _script(source: Path, module: object, **described: object) -> Path:
    """`module` compiled to TorchScript, with `described` as inputs.json."""
    import torch

    torch.jit.save(torch.jit.script(module), str(source / "model.pt"))
    (source / "inputs.json").write_text(json.dumps(described))
    return source / "model.pt"


def test_an_exported_program_answers_the_same_in_onnx(exported: Path) -> None:
    import torch

    source = exported.parent
    graph = load_graphs(source, inspect(source, "tensor", allow_pickle=True), threads=1)["model"]
    assert [entry.version for entry in graph.opset_import if not entry.domain] == [20]
    x = np.random.default_rng(0).standard_normal((7, 8)).astype(np.float32)
    session = _session(graph)
    answer = session.run(None, {session.get_inputs()[0].name: x})[0]
    with exported.open("rb") as file:
        program = torch.export.load(file).module()
    np.testing.assert_allclose(answer, program(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
    assert isinstance(_shapes(graph.graph.input)[session.get_inputs()[0].name][0], str)


def test_silero_vad_as_torchscript_answers_the_same_in_onnx(scripted: Path) -> None:
    import torch

    graph = load_graphs(scripted, inspect(scripted, "tensor", allow_pickle=True), threads=1)["model"]
    assert _shapes(graph.graph.input) == {"x": ["batch", 576], "state": [2, "batch", 128]}
    assert _shapes(graph.graph.output) == {"speech": ["batch", 1], "next_state": [2, "batch", 128]}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 576)).astype(np.float32) * 0.1
    state = rng.standard_normal((2, 5, 128)).astype(np.float32) * 0.1
    module = torch.jit.load(str(scripted / "model.pt"))
    expected = module(torch.from_numpy(x), torch.from_numpy(state))
    for ours, theirs in zip(_session(graph).run(None, {"x": x, "state": state}), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-5)


def test_sizes_of_the_example_can_be_given_and_outputs_named(tmp_path: Path) -> None:
    import torch

    inputs = [{"name": "samples", "datatype": "FP32", "shape": [-1, 1, "length"]}]
    path = _script(
        tmp_path, torch.nn.Conv1d(1, 3, 400, stride=200), inputs=inputs, outputs=["frames"], sizes={"length": 800}
    )
    graph = to_onnx(path, Format.TORCHSCRIPT, threads=1)
    assert _shapes(graph.graph.input) == {"samples": ["size_0_0", 1, "length"]}
    assert _shapes(graph.graph.output) == {"frames": ["size_0_0", 3, "frames_2"]}
    answer = _session(graph).run(None, {"samples": np.zeros((3, 1, 1000), np.float32)})[0]
    assert answer.shape == (3, 3, 4)


def test_inputs_that_the_program_does_not_take_are_the_owners_to_correct(scripted: Path, tmp_path: Path) -> None:
    shutil.copytree(scripted, tmp_path, dirs_exist_ok=True)
    (tmp_path / "inputs.json").write_text('{"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 3]}]}')
    with pytest.raises(SourceInvalid, match=r"does not run with inputs of the shapes \[2, 3\]") as error:
        to_onnx(tmp_path / "model.pt", Format.TORCHSCRIPT, threads=1)
    assert "inputs.json" in error.value.remedy


def test_a_wrong_number_of_output_names_is_refused(scripted: Path, tmp_path: Path) -> None:
    shutil.copytree(scripted, tmp_path, dirs_exist_ok=True)
    described = json.loads((scripted / "inputs.json").read_text())
    (tmp_path / "inputs.json").write_text(json.dumps(described | {"outputs": ["speech"]}))
    with pytest.raises(SourceInvalid, match="has 2 outputs"):
        to_onnx(tmp_path / "model.pt", Format.TORCHSCRIPT, threads=1)


def test_what_onnx_has_no_operators_for_fails_with_a_remedy(tmp_path: Path) -> None:
    import torch

    class Eigen(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvalsh(x)

    path = _script(tmp_path, Eigen(), inputs=[{"name": "x", "datatype": "FP32", "shape": ["batch", 4, 4]}])
    with pytest.raises(ConversionFailed, match="cannot export model") as error:
        to_onnx(path, Format.TORCHSCRIPT, threads=1)
    assert "model.onnx" in error.value.remedy


def test_a_damaged_program_does_not_load(scripted: Path, tmp_path: Path) -> None:
    shutil.copytree(scripted, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.pt").write_bytes((scripted / "model.pt").read_bytes()[:-1000])
    with pytest.raises(SourceInvalid, match="was cut off"):
        to_onnx(tmp_path / "model.pt", Format.TORCHSCRIPT, threads=1)


def test_weights_of_a_program_that_are_nan_are_refused(tmp_path: Path) -> None:
    import torch

    module = torch.nn.Linear(4, 3)
    torch.nn.init.constant_(module.weight, float("nan"))
    _script(tmp_path, module, inputs=[{"name": "x", "datatype": "FP32", "shape": ["batch", 4]}])
    facts = inspect(tmp_path, "tensor", allow_pickle=True)
    with pytest.raises(SourceInvalid, match="are NaN"):
        load_graphs(tmp_path, facts, threads=1)
