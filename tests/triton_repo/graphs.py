"""Small models to publish: an affine tensor graph, a look-up graph that can fail, and a tiny embedding model."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from registry.spec import embedding, runtime
from registry.spec.embedding import Pooling
from registry.spec.runtime import EmbeddingRuntime, TensorRuntime
from registry.spec.signature import DataType, Signature, TensorSpec

LOOKUP = Signature((TensorSpec("i", DataType.INT64, (-1,)),), (TensorSpec("v", DataType.FP32, (-1,)),))
EXCLAIM = Signature((TensorSpec("s", DataType.BYTES, (2,)),), (TensorSpec("t", DataType.BYTES, (2,)),))

EMBEDDING = embedding.signature(8)

WORDS = 300
DIMENSIONS = 8
MAX_TOKENS = 16


def write_affine(directory: Path) -> Path:
    """y = 2x + 1 over FP32 [rows, 4]."""
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Add", ["doubled", "one"], ["y"]),
    ]
    constants = [_constant("two", np.float32(2)), _constant("one", np.float32(1))]
    return _write_tensor_model(
        directory, nodes, [_value("x", TensorProto.FLOAT, 4)], [_value("y", TensorProto.FLOAT, 4)], constants
    )


def write_slow(directory: Path) -> Path:
    """y = x over FP32 [rows, 4], with some tenths of a second of arithmetic before."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["scale"]),
        helper.make_node("Mul", ["matrix", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "scaled"], ["square"]),
        helper.make_node("MatMul", ["square", "scaled"], ["cube"]),
        helper.make_node("ReduceMin", ["cube"], ["zero"]),
        helper.make_node("Add", ["x", "zero"], ["y"]),
    ]
    constants = [_constant("matrix", np.zeros((2000, 2000), dtype=np.float32))]
    return _write_tensor_model(
        directory, nodes, [_value("x", TensorProto.FLOAT, 4)], [_value("y", TensorProto.FLOAT, 4)], constants
    )


def write_lookup(directory: Path) -> Path:
    """v = table[i], INT64 [rows, n] to FP32 [rows, n], with 10 entries: an index beyond them fails in the engine."""
    nodes = [helper.make_node("Gather", ["table", "i"], ["v"])]
    constants = [_constant("table", np.arange(10, dtype=np.float32) * 10)]
    return _write_tensor_model(
        directory, nodes, [_value("i", TensorProto.INT64, "n")], [_value("v", TensorProto.FLOAT, "n")], constants
    )


def write_exclaim(directory: Path) -> Path:
    """t = s + "!", BYTES [rows, 2] to BYTES [rows, 2]."""
    nodes = [helper.make_node("StringConcat", ["s", "mark"], ["t"])]
    constants = [helper.make_tensor("mark", TensorProto.STRING, [], [b"!"])]
    return _write_tensor_model(
        directory, nodes, [_value("s", TensorProto.STRING, 2)], [_value("t", TensorProto.STRING, 2)], constants
    )


def write_embedding(directory: Path, batch_tokens: int = 64) -> Path:
    """Token vectors from a random table, mean-pooled; the words are `w0` … `w299`."""
    directory.mkdir(parents=True, exist_ok=True)
    table = np.random.default_rng(7).normal(size=(WORDS + 3, DIMENSIONS)).astype(np.float32)
    mask = helper.make_node("Cast", ["attention_mask"], ["mask_float"], to=TensorProto.FLOAT)
    gather = helper.make_node("Gather", ["table", "input_ids"], ["looked_up"])
    axis = helper.make_node("Unsqueeze", ["mask_float", "last"], ["mask_column"])
    multiply = helper.make_node("Mul", ["looked_up", "mask_column"], ["hidden"])
    inputs = [_value(name, TensorProto.INT64, "tokens") for name in ("input_ids", "attention_mask")]
    outputs = [_value("hidden", TensorProto.FLOAT, "tokens", DIMENSIONS)]
    constants = [_constant("table", table), _constant("last", np.array([2]))]
    _save(directory, [mask, gather, axis, multiply], inputs, outputs, constants)
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, **{f"w{n}": n + 3 for n in range(WORDS)}}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = EmbeddingRuntime(
        inputs=("input_ids", "attention_mask"),
        output="hidden",
        dimensions=DIMENSIONS,
        max_tokens=MAX_TOKENS,
        pooling=Pooling.MEAN,
        normalize=True,
        exact_x86=False,
        batch_tokens=batch_tokens,
    )
    runtime.write(settings, directory / "runtime.json")
    return directory


def write_probe(path: Path, inputs: dict[str, dict], outputs: dict[str, dict]) -> Path:
    path.write_text(json.dumps({"inputs": inputs, "outputs": outputs}))
    return path


def _write_tensor_model(directory: Path, nodes: list, inputs: list, outputs: list, constants: list) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    _save(directory, nodes, inputs, outputs, constants)
    runtime.write(TensorRuntime(exact_x86=False), directory / "runtime.json")
    return directory


def _save(directory: Path, nodes: list, inputs: list, outputs: list, constants: list) -> None:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, directory / "model.onnx")


def _value(name: str, element: int, *row: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, ["rows", *row])


def _constant(name: str, array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)
