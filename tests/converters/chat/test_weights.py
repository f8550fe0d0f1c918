from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from converters.chat.blocks import Scheme
from converters.chat.decoder import Decoder
from converters.chat.moments import Moments
from converters.chat.observe import observe
from converters.chat.weights import GRAPH, WEIGHTS, Plan, products, quantize_weights

HEAD = "/lm_head/MatMul"
TOKENS = np.arange(1, 60, dtype=np.int64)
INT8 = Scheme(8)


def quantized(source: Path, target: Path, plan: Plan, moments: Moments | None = None) -> Path:
    target.mkdir()
    shutil.copyfile(source / "genai_config.json", target / "genai_config.json")
    quantize_weights(source, target, plan, moments)
    return target


def logits(directory: Path) -> np.ndarray:
    values: np.ndarray = Decoder(directory, 1).run(TOKENS, ["logits"])[0][0]
    return values


def error(directory: Path, source: Path) -> float:
    reference = logits(source)
    return float(np.square(logits(directory) - reference).mean() / np.square(reference).mean())


def operators(directory: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(directory / GRAPH, load_external_data=False).graph.node)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("scheme", [INT8, Scheme(8, symmetric=False), Scheme(8, 16)])
def test_a_decoder_in_eight_bits_answers_nearly_as_in_float(
    tied: bool, scheme: Scheme, floating: dict[bool, Path], tmp_path: Path
) -> None:
    target = quantized(floating[tied], tmp_path / "int8", Plan(scheme, embedding=scheme))
    assert error(target, floating[tied]) < 5e-3  # weights drawn at random have no redundancy to hide behind
    counted = operators(target)
    assert counted["MatMul"] == counted["Transpose"] == 0
    assert counted["GatherBlockQuantized"] == 1


def test_a_tied_embedding_is_stored_once(floating: dict[bool, Path], tmp_path: Path) -> None:
    graph = onnx.load(floating[True] / GRAPH, load_external_data=False).graph
    elements = sum(inputs * outputs for inputs, outputs in products(graph).values())
    rest = sum(4 * int(np.prod(t.dims)) for t in graph.initializer if not t.name.endswith("MatMul.weight"))
    target = quantized(floating[True], tmp_path / "int8", Plan(INT8))
    padding = 4096 * 2 * len(graph.initializer)
    assert (target / WEIGHTS).stat().st_size <= elements * (1 + 4 / 32) + rest + padding


def test_what_a_plan_leaves_in_float_stays_exactly_as_it_is(floating: dict[bool, Path], tmp_path: Path) -> None:
    target = quantized(floating[False], tmp_path / "same", Plan(None))
    assert (logits(target) == logits(floating[False])).all()


def test_an_exception_of_the_plan_holds_for_its_product_alone(floating: dict[bool, Path], tmp_path: Path) -> None:
    target = quantized(floating[True], tmp_path / "int4", Plan(Scheme(4), {HEAD: INT8}))
    graph = onnx.load(target / GRAPH, load_external_data=False).graph
    bits = {node.name: attribute.i for node in graph.node for attribute in node.attribute if attribute.name == "bits"}
    assert bits[HEAD] == 8
    assert {bits[name] for name in bits if "layers" in name} == {4}


def test_the_same_plan_gives_the_same_bytes(floating: dict[bool, Path], tmp_path: Path) -> None:
    plan = Plan(Scheme(4, symmetric=False, search=True), {HEAD: INT8})
    one, other = (quantized(floating[True], tmp_path / name, plan) for name in "ab")
    for name in (GRAPH, WEIGHTS):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_compensation_brings_four_bits_nearer_to_float(floating: dict[bool, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = onnx.load(floating[True] / GRAPH, load_external_data=False).graph.output[0].type.tensor_type.shape.dim[2]
    texts = [rng.integers(1, words.dim_value, 100) for _ in range(12)]
    (tmp_path / "moments").mkdir()
    moments = observe(floating[True], texts, {HEAD}, tmp_path / "moments", 1)
    plan = Plan(Scheme(4, symmetric=False), {HEAD: INT8})
    plain = quantized(floating[True], tmp_path / "plain", plan)
    compensated = quantized(floating[True], tmp_path / "compensated", plan, moments)
    assert error(compensated, floating[True]) < error(plain, floating[True])
    assert not (floating[True] / "tapped.onnx").exists()
