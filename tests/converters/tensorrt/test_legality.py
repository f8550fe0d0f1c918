"""Canonical files compiled for two architectures without a GPU, in the walls that a conversion runs in too."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from converters.errors import ConversionFailed
from converters.steps.lint import CanonicalInvalid
from converters.tensorrt import legality
from converters.tensorrt.float16 import to_half
from tests.converters.tensorrt.graphs import block, convolutions, node_named

_CONFINED = """
import json, os, pathlib, sys
from converters.request import Limits
from converters.sandbox import confine
source, output = map(pathlib.Path, sys.argv[1:3])
writable = [output]
confinement = confine(Limits(120, 3 * 1024**3), os.getppid(), source, writable)
import onnx
from converters.tensorrt import legality
try:
    pathlib.Path("/etc/passwd").read_text()
    read = True
except PermissionError:
    read = False
made = legality.examine(onnx.load(source / "model.onnx"), output)
print(json.dumps({"walls": confinement.walls(), "read": read, "made": [part.model_dump() for part in made]}))
"""


@pytest.mark.parametrize("model", [convolutions(), block()], ids=["convolutions", "transformer"])
def test_a_canonical_file_is_compiled_for_two_architectures(model: onnx.ModelProto, tmp_path: Path) -> None:
    made = legality.examine(model, tmp_path)
    assert [lowering.target for lowering in made] == ["TensorRT SM86", "TensorRT SM89"]
    for lowering, capability in zip(made, ("SM86", "SM89"), strict=True):
        assert lowering.status == "checked, not built"
        assert f"for {capability} as a check of legality, not run; no plan for TensorRT was built" in lowering.detail
    assert not list(tmp_path.iterdir())


def test_what_the_compiler_chose_is_said_as_its_choice(tmp_path: Path) -> None:
    for made in legality.check(_half(block(), tmp_path)):
        assert "Its compiler chose INT8 for 3 of 4 products and convolutions." in made.detail


def test_the_hash_is_of_the_file_that_was_checked(tmp_path: Path) -> None:
    path = _half(convolutions(), tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [made.sha256 for made in legality.check(path)] == [digest, digest]
    assert list(tmp_path.iterdir()) == [path]


def _half(model: onnx.ModelProto, directory: Path) -> Path:
    path = directory / "half.onnx"
    onnx.save(to_half(model).model, path)
    return path


def biased() -> onnx.ModelProto:
    """`convolutions` with the bias quantized to int32, as ONNX Runtime's own tools write it."""
    model = convolutions()
    for name, value in (
        ("bias_levels", np.ones(32, np.int32)),
        ("bias_scales", np.full(32, 0.01, np.float32)),
        ("bias_zeros", np.zeros(32, np.int32)),
    ):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    parts = ["bias_levels", "bias_scales", "bias_zeros"]
    model.graph.node.insert(0, helper.make_node("DequantizeLinear", parts, ["bias"], axis=0))
    node_named(model, "Conv").input[2] = "bias"
    return model


def test_a_quantized_bias_is_refused_by_the_rules_and_by_the_parser(tmp_path: Path) -> None:
    with pytest.raises(CanonicalInvalid, match="a bias stays float"):
        legality.examine(biased(), tmp_path)
    path = tmp_path / "biased.onnx"
    onnx.save(biased(), path)
    with pytest.raises(ConversionFailed, match=r"does not take the graph: DequantizeLinear .*type Int32"):
        legality.check(path)
    assert list(tmp_path.iterdir()) == [path]


def test_without_the_compiler_the_rules_are_said_to_be_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (made,) = legality.examine(block(), tmp_path)
    assert made.status == "checked, not built"
    assert "not installed" in made.detail


def test_it_compiles_within_the_walls_of_a_conversion(tmp_path: Path) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    source.mkdir()
    output.mkdir()
    onnx.save(block(), source / "model.onnx")
    done = subprocess.run(
        [sys.executable, "-c", _CONFINED, str(source), str(output)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["made"] == [made.model_dump() for made in legality.examine(block(), tmp_path)]
    if not any("NOT" in wall for wall in result["walls"]):
        assert not result["read"]
    assert not list(output.iterdir())
