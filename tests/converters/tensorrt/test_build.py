"""The path to a plan, driven by TensorRT-RTX: its builder has TensorRT's interface and needs no GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
import tensorrt_rtx as api
from onnx import TensorProto, helper

from converters.errors import ConversionFailed
from converters.tensorrt import inspect_engine
from converters.tensorrt.__main__ import main
from converters.tensorrt.build import HardwareCompatibility, Options, build, check_version
from converters.tensorrt.float16 import to_half
from converters.tensorrt.profiles import Profile, Span, batch, padded, profiles
from tests.converters.tensorrt.graphs import block, convolutions, model_of, node_named

SM86 = ("SM86",)


def saved(model: onnx.ModelProto, directory: Path) -> Path:
    path = directory / "model.onnx"
    onnx.save(model, path)
    return path


def test_a_plan_has_a_profile_for_each_bucket(tmp_path: Path) -> None:
    model = to_half(block()).model
    shapes = profiles(model, batch(8, 4), padded("tokens", [16, 64]))
    built = build(api, saved(model, tmp_path), Options(shapes, compute_capabilities=SM86, workspace_bytes=2**28))
    assert len(built.plan) > 10_000
    assert built.version == api.__version__
    assert "MinShape: [1,16,32], OptShape: [4,16,32], MaxShape: [8,16,32]" in built.listing
    assert "MinShape: [1,64,32], OptShape: [4,64,32], MaxShape: [8,64,32]" in built.listing


def test_what_has_no_quantization_runs_in_fp16(tmp_path: Path) -> None:
    """A strongly typed network takes the types of the file: without the cast the same layers run in FP32."""
    shapes = profiles(block(), batch(8), [{"tokens": Span(8, 16, 32)}])
    options = Options(shapes, compute_capabilities=SM86)
    floating = build(api, saved(block(), tmp_path), options).listing
    half = build(api, saved(to_half(block()).model, tmp_path), options).listing
    assert _attention(floating) == {"Float"}
    assert _attention(half) == {"Half"}


def _attention(listing: str) -> set[str]:
    """The types that products of two activations read."""
    layers = inspect_engine.layers_of_listing(listing)
    return {kind for layer in layers if layer.is_product and not layer.weights for kind in layer.inputs}


def test_the_timing_cache_goes_in_and_out(tmp_path: Path) -> None:
    path = saved(convolutions(), tmp_path)
    shapes = profiles(convolutions(), batch(4))
    first = build(api, path, Options(shapes, timing_cache=b"", compute_capabilities=SM86))
    assert first.timing_cache
    again = build(api, path, Options(shapes, timing_cache=first.timing_cache, compute_capabilities=SM86))
    assert again.timing_cache
    assert build(api, path, Options(shapes, compute_capabilities=SM86)).timing_cache is None


@pytest.mark.parametrize("level", [HardwareCompatibility.AMPERE_PLUS, HardwareCompatibility.SAME_COMPUTE_CAPABILITY])
def test_the_wish_for_compatibility_reaches_the_builder(level: HardwareCompatibility, tmp_path: Path) -> None:
    """TensorRT-RTX has its own way to several GPUs, and says that it does not take TensorRT's."""
    options = Options(profiles(convolutions(), batch(4)), hardware_compatibility=level, compute_capabilities=SM86)
    assert any(
        "setHardwareCompatibilityLevel" in text
        for text in build(api, saved(convolutions(), tmp_path), options).warnings
    )


def test_every_level_of_compatibility_is_one_of_the_library() -> None:
    assert {level.name for level in HardwareCompatibility} <= set(api.HardwareCompatibilityLevel.__members__)


def test_a_graph_that_the_parser_refuses_is_one_clear_error(tmp_path: Path) -> None:
    model = convolutions()
    node_named(model, "Relu").op_type = "Bernoulli"
    with pytest.raises(ConversionFailed, match="does not take the graph: Bernoulli") as caught:
        build(api, saved(model, tmp_path), Options(compute_capabilities=SM86))
    assert "\n" not in caught.value.message
    assert caught.value.remedy


def test_a_build_that_fails_says_what_the_builder_said(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match=r"built no plan of the graph: .*profile") as caught:
        build(api, saved(convolutions(), tmp_path), Options(compute_capabilities=SM86))
    assert "workspace" in caught.value.remedy


def test_a_profile_beside_the_graph_is_refused(tmp_path: Path) -> None:
    shape = (4, 99, 8, 8)
    options = Options([Profile({"x": (shape, shape, shape)})], compute_capabilities=SM86)
    with pytest.raises(ConversionFailed, match=r"profile"):
        build(api, saved(convolutions(), tmp_path), options)


def test_an_input_that_decides_shapes_is_refused(tmp_path: Path) -> None:
    model = model_of(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])], {"x": ["batch", 4], "shape": [2]}, {"y": ["a", "b"]}, {}
    )
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(ConversionFailed, match="The input shape decides shapes"):
        build(api, saved(model, tmp_path), Options(compute_capabilities=SM86))


def test_only_versions_10_and_11_are_built_with() -> None:
    for version in ("10.0.1", "10.16.1.11", "11.4.1"):
        check_version(SimpleNamespace(__version__=version))
    for version in ("8.6.1", "9.3.0", "12.0.0", api.__version__):
        with pytest.raises(ConversionFailed, match=f"TensorRT {version} is installed"):
            check_version(SimpleNamespace(__version__=version))


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(saved(convolutions(), tmp_path)), str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "TensorRT is not installed" in said
    assert "conch[convert,tensorrt]" in said
