"""The conversion of any ONNX graph with a batch dimension in front: tensors in, tensors out, published in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from converters import decision, probe
from converters.errors import ConversionFailed, SourceInvalid
from converters.job import Converted, Job, Measured
from converters.sources import onnx_file
from converters.steps import prepare
from converters.steps.run import EngineRefused, open_graph, run
from registry.spec.certificate import Metric, Precision
from registry.spec.runtime import TensorRuntime, write
from registry.spec.signature import DataType, Signature, TensorSpec

MAX_BATCH = 256

_ROWS = 3
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
class _Trial:
    """Random inputs that the graph took, and what it answered."""

    inputs: Tensors
    outputs: Tensors


def convert(job: Job) -> Converted:
    """Publish the graph of `job` as it is, with a probe. Raises SourceInvalid or ConversionFailed."""
    job.reporter.step("load", "opening the graph", 0.1)
    source = onnx_file.load(job.request.source)
    signature = read_signature(source)
    original, served = job.scratch("original") / "model.onnx", job.model / "model.onnx"
    onnx.save(source, original)
    onnx.save(prepare.clean(source), served)
    write(TensorRuntime(exact_x86=False), job.model / "runtime.json")
    job.reporter.step("reference", "running the original on random inputs", 0.4)
    trial = _try(original, signature, job.request.threads, job.request.seed)
    _check_rows(original, trial, job.request.threads)
    job.reporter.step("accuracy", "running the graph that serves on the same inputs", 0.7)
    outputs = _run(served, trial.inputs, list(trial.outputs), job.request.threads)
    probe.write_tensors(
        job.probe,
        {spec.name: (spec, trial.inputs[spec.name]) for spec in signature.inputs},
        {spec.name: (spec, outputs[spec.name]) for spec in signature.outputs},
    )
    why = "the owner asked for float32"
    if job.request.precision is Precision.INT8:
        why = "the task tensor has no calibration data, without which INT8 ranges would be guesses"
    measured = Measured([_agreement(trial.outputs, outputs)])
    return Converted(decision.floating(measured.accuracy, why), measured, signature, MAX_BATCH)


def read_signature(model: onnx.ModelProto) -> Signature:
    """The graph's public signature. Raises SourceInvalid where a tensor has no batch dimension in front."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_spec(value) for value in model.graph.input if value.name not in constants)
    if not inputs:
        raise SourceInvalid("The graph takes no input.", "Export it with at least one input.")
    return Signature(inputs, tuple(_spec(value) for value in model.graph.output))


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


def _try(graph: Path, signature: Signature, threads: int, seed: int) -> _Trial:
    """Find a size of the varying dimensions that the graph takes."""
    names = [spec.name for spec in signature.outputs]
    for size in _SIZES:
        rng = np.random.default_rng(seed)
        inputs = {spec.name: _random(spec, size, rng) for spec in signature.inputs}
        try:
            return _Trial(inputs, _run(graph, inputs, names, threads))
        except ConversionFailed:
            if size == _SIZES[-1]:
                raise
    raise AssertionError("the loop returns or raises")


def _random(spec: TensorSpec, size: int, rng: np.random.Generator) -> NDArray[Any]:
    shape = (_ROWS, *(size if dimension == -1 else dimension for dimension in spec.shape))
    if spec.datatype is DataType.BYTES:
        return np.full(shape, "conch", dtype=np.object_)
    if np.issubdtype(spec.datatype.numpy, np.floating):
        return rng.standard_normal(shape).astype(spec.datatype.numpy)
    return rng.integers(0, 2, shape).astype(spec.datatype.numpy)  # 0 and 1 are valid in most tables and masks


def _run(graph: Path, inputs: Mapping[str, NDArray[Any]], outputs: list[str], threads: int) -> Tensors:
    try:
        return dict(zip(outputs, run(open_graph(graph, threads), outputs, inputs), strict=True))
    except EngineRefused as error:
        raise ConversionFailed(
            "ONNX Runtime cannot run the graph on random inputs of its own signature.",
            "Check that it runs with onnxruntime, with three rows, for every size that its signature allows.",
        ) from error


def _check_rows(graph: Path, trial: _Trial, threads: int) -> None:
    """Rows must not depend on each other, or gathering requests into a batch would change answers."""
    first = {name: value[:1] for name, value in trial.inputs.items()}
    alone = _run(graph, first, list(trial.outputs), threads)
    for name, value in trial.outputs.items():
        same_rows = value.ndim > 0 and value.shape[0] == _ROWS and alone[name].shape == (1, *value.shape[1:])
        if not same_rows or not _close(alone[name], value[:1]):
            raise SourceInvalid(
                f"The output {name!r} of a row depends on the other rows of its batch.",
                "Export the graph so that its first dimension is a batch of independent rows.",
            )


def _close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if not np.issubdtype(one.dtype, np.floating):
        return bool((one == other).all())
    return bool(np.allclose(one, other, rtol=1e-2, atol=1e-3, equal_nan=True))


def _agreement(reference: Tensors, outputs: Tensors) -> Metric:
    """The share of outputs that are the original's."""
    same = [_close(value, outputs[name]) for name, value in reference.items()]
    share = sum(same) / len(same)
    return Metric(name="outputs_equal", value=share, low=share, high=share, minimum=1.0, passed=share == 1.0)
