"""From a canonical file to a plan and its description. TensorRT-RTX builds; only opening the plan needs a GPU, and is
stood in for by what the inspector of TensorRT 10 would say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tensorrt_rtx

from converters.errors import ConversionFailed
from converters.steps.lint import CanonicalInvalid
from converters.tensorrt.build import HardwareCompatibility, Options
from converters.tensorrt.plan import Made, make
from converters.tensorrt.profiles import batch, padded
from tests.converters.tensorrt.graphs import block, node_named

INSPECTED = json.dumps(
    {
        "Layers": [
            {
                "Name": f"product {number}",
                "LayerType": "CaskGemmMatrixMultiply",
                "Inputs": [{"Dimensions": [8, 32], "Format/Datatype": f"Row major {kind} format"}],
                "Weights": {"Type": kind, "Count": 1024},
            }
            for number, kind in enumerate(("Int8", "Int8", "Half"))
        ]
    }
)


class Inspector:
    def get_engine_information(self, _: Any) -> str:
        return INSPECTED


class Engine:
    def create_engine_inspector(self) -> Inspector:
        return Inspector()


class Runtime:
    def __init__(self, logger: Any) -> None:
        pass

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        return Engine() if plan else None


class Api:
    """The builder of TensorRT-RTX under a version of TensorRT, and a runtime that has a GPU."""

    __version__ = "10.16.1"
    Runtime = Runtime

    def __getattr__(self, name: str) -> Any:
        return getattr(tensorrt_rtx, name)


OPTIONS = Options(
    compute_capabilities=("SM86",), timing_cache=b"", hardware_compatibility=HardwareCompatibility.AMPERE_PLUS
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(Api(), block(), tmp_path_factory.mktemp("plan"), batch(8), padded("tokens", [16, 32]), OPTIONS)


def test_the_plan_and_its_description_lie_side_by_side(made: Made) -> None:
    assert sorted(path.name for path in made.plan.parent.iterdir()) == ["model.plan", "plan.json"]
    description = json.loads((made.plan.parent / "plan.json").read_text())
    assert description["hardware_compatibility"] == "ampere-plus"
    assert description["saturated_constants"] == ["never"]
    assert description["kept_in_fp32"]["attention"] == "Softmax runs in FP32"
    assert description["lowering"] == made.lowering.model_dump()


def test_a_plan_is_said_to_be_built_and_not_run(made: Made) -> None:
    assert made.lowering.status == "built, not run"
    assert made.lowering.sha256 == hashlib.sha256(made.plan.read_bytes()).hexdigest()
    assert "counts 2 of 3 products and convolutions in INT8" in made.lowering.detail
    assert "Speed and accuracy were not measured." in made.lowering.detail
    assert made.operators.quantized_share == pytest.approx(2 / 3)
    assert made.timing_cache


def test_a_file_that_breaks_the_rules_is_not_built(tmp_path: Path) -> None:
    model = block()
    node_named(model, "MatMul").op_type = "Gemm"
    with pytest.raises(CanonicalInvalid):
        make(Api(), model, tmp_path, batch(8), padded("tokens", [16]), OPTIONS)
    assert not list(tmp_path.iterdir())


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no input has a dynamic dimension words"):
        make(Api(), block(), tmp_path, batch(8), padded("words", [16]), OPTIONS)
    with pytest.raises(ConversionFailed, match=r"TensorRT 1\.7"):
        make(tensorrt_rtx, block(), tmp_path, batch(8), padded("tokens", [16]), OPTIONS)
    assert not list(tmp_path.iterdir())
