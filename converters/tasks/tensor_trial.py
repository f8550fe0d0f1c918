"""What a graph of the task `tensor` takes and gives, found out by its types and by running it on random inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from converters.errors import ConversionFailed, SourceInvalid
from converters.steps.graph import graph_inputs
from converters.steps.run import EngineRefused, open_float, run
from registry.spec.session import Session
from registry.spec.signature import DataType, Signature, TensorSpec

ROWS = 3

_SIZES = (8, 16, 32, 64, 128, 224, 1)  # tried in turn for dimensions that vary: not every graph takes every size
_DATATYPES: dict[int, DataType] = {
    TensorProto.BOOL: DataType.BOOL,
    TensorProto.UINT8: DataType.UINT8,
    TensorProto.UINT16: DataType.UINT16,
    TensorProto.UINT32: DataType.UINT32,
    TensorProto.UINT64: DataType.UINT64,
    TensorProto.INT8: DataType.INT8,
    TensorProto.INT16: DataType.INT16,
    TensorProto.INT32: DataType.INT32,
    TensorProto.INT64: DataType.INT64,
    TensorProto.FLOAT16: DataType.FP16,
    TensorProto.FLOAT: DataType.FP32,
    TensorProto.DOUBLE: DataType.FP64,
    TensorProto.STRING: DataType.BYTES,
}

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Trial:
    """Random inputs that the graph took, and what it answered."""

    inputs: Tensors
    outputs: Tensors


def read_signature(model: onnx.ModelProto) -> Signature:
    """The graph's public signature. Raises SourceInvalid where a tensor has no batch dimension in front."""
    inputs = tuple(_spec(value) for value in graph_inputs(model))
    if not inputs:
        raise SourceInvalid("The graph takes no input.", "Export it with at least one input.")
    return Signature(inputs, tuple(_spec(value) for value in model.graph.output))


def trial(graph: Path, signature: Signature, threads: int, seed: int) -> Trial:
    """Find a size of the varying dimensions that the graph takes, and check that its rows do not depend on each other.

    Raises SourceInvalid where they do, ConversionFailed where the graph takes nothing.
    """
    session = _open(graph, threads)
    found = _try(session, signature, seed)
    _check_rows(session, found)
    return found


def answers(session: Session, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> Tensors:
    """The graph's outputs by name. Raises ConversionFailed where the engine refuses the inputs."""
    try:
        return dict(zip(outputs, run(session, outputs, inputs), strict=True))
    except EngineRefused as error:
        raise _cannot_run() from error


def close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two outputs are the same but for rounding."""
    if not np.issubdtype(one.dtype, np.floating):
        return bool((one == other).all())
    return bool(np.allclose(one, other, rtol=1e-2, atol=1e-3, equal_nan=True))


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    datatype = _DATATYPES.get(value.type.tensor_type.elem_type)
    if datatype is None:
        raise SourceInvalid(
            f"The tensor {value.name!r} has a datatype that the Open Inference Protocol lacks.", "Export it in FP32."
        )
    dimensions = value.type.tensor_type.shape.dim
    if not dimensions or dimensions[0].HasField("dim_value"):
        raise SourceInvalid(
            f"The tensor {value.name!r} has no batch dimension that varies in front.",
            "Export the graph with a dynamic first dimension on every input and output (dynamic_shapes).",
        )
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dimensions[1:])
    if any(size == 0 or size < -1 for size in shape):
        raise SourceInvalid(f"The tensor {value.name!r} has an impossible shape.", "Export the graph again.")
    return TensorSpec(value.name, datatype, shape)


def _open(graph: Path, threads: int) -> Session:
    try:
        session: Session = open_float(graph, threads)
    except EngineRefused as error:
        raise _cannot_run() from error
    return session


def _try(session: Session, signature: Signature, seed: int) -> Trial:
    names = [spec.name for spec in signature.outputs]
    for size in _SIZES:
        rng = np.random.default_rng(seed)
        inputs = {spec.name: _random(spec, size, rng) for spec in signature.inputs}
        try:
            return Trial(inputs, answers(session, inputs, names))
        except ConversionFailed:
            if size == _SIZES[-1]:
                raise
    raise AssertionError("the loop returns or raises")


def _random(spec: TensorSpec, size: int, rng: np.random.Generator) -> NDArray[Any]:
    shape = (ROWS, *(size if dimension == -1 else dimension for dimension in spec.shape))
    if spec.datatype is DataType.BYTES:
        return np.full(shape, "conch", dtype=np.object_)
    if np.issubdtype(spec.datatype.numpy, np.floating):
        return rng.standard_normal(shape).astype(spec.datatype.numpy)
    return rng.integers(0, 2, shape).astype(spec.datatype.numpy)  # 0 and 1 are valid in most tables and masks


def _check_rows(session: Session, found: Trial) -> None:
    """Rows must not depend on each other, or gathering requests into a batch would change answers."""
    first = {name: value[:1] for name, value in found.inputs.items()}
    alone = answers(session, first, list(found.outputs))
    for name, value in found.outputs.items():
        same_rows = value.ndim > 0 and value.shape[0] == ROWS and alone[name].shape == (1, *value.shape[1:])
        if not same_rows or not close(alone[name], value[:1]):
            raise SourceInvalid(
                f"The output {name!r} of a row depends on the other rows of its batch.",
                "Export the graph so that its first dimension is a batch of independent rows.",
            )


def _cannot_run() -> ConversionFailed:
    return ConversionFailed(
        "ONNX Runtime cannot run the graph on random inputs of its own signature.",
        "Check that it runs with onnxruntime, with three rows, for every size that its signature allows.",
    )
