"""How a graph is opened: one place, so that what was certified is what serves.

A graph is a file `<name>.onnx` that ONNX Runtime runs, or `<name>.openvino.onnx` that OpenVINO runs: its own format, an
.xml with a .bin, opens no faster and is a tenth larger where a graph is small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from openvino import CompiledModel

Feeds = Mapping[str, NDArray[Any]]


class Refused(ValueError):
    """OpenVINO does not take a graph, or its inputs; ONNX Runtime has errors of its own for that."""


class Session(Protocol):
    """A graph that is open."""

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        """The values of `outputs`, of all of the graph's where None."""
        ...


def openvino_name(part: str) -> str:
    """The file of a graph that OpenVINO runs."""
    return f"{part}.openvino.onnx"


def open_graph(directory: Path, part: str, threads: int, *, exact_x86: bool) -> Session:
    """Open the graph `part` in `directory` on the CPU, with the engine that its files are for."""
    path = directory / openvino_name(part)
    if path.exists():
        return OpenVinoSession(path, threads)
    session: Session = open_session(directory / f"{part}.onnx", threads, exact_x86=exact_x86)
    return session


def open_session(
    path: Path,
    threads: int,
    *,
    exact_x86: bool,
    save_optimized: Path | None = None,
    level: Literal["none", "basic", "all"] = "all",
) -> InferenceSession:
    """Open the ONNX graph at `path` on the CPU with `threads` intra-op threads.

    `exact_x86` avoids the kernels that saturate pairs of int16 on processors without VNNI; they are faster and wrong
    by up to 15 %. `save_optimized` writes the graph as the engine really runs it, for the audit of fused operators.
    """
    import onnxruntime as ort

    ort.disable_telemetry_events()  # it reports to its maker by default; nothing here does

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads of one model starve every other process on a machine with few cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = {
        "none": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,  # the same function in standard operators
        "all": levels.ORT_ENABLE_ALL,
    }[level]
    if exact_x86:
        options.add_session_config_entry("session.x64quantprecision", "1")
    if save_optimized is not None:
        options.optimized_model_filepath = str(save_optimized)
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compile_openvino(path: Path, threads: int) -> CompiledModel:
    """OpenVINO's executable form of the ONNX graph at `path`. Raises Refused."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # elsewhere it takes bfloat16 where the processor has it
        "ENABLE_CPU_PINNING": False,  # several models share few cores
    }
    try:
        return openvino.Core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:  # OpenVINO has no narrower one
        raise Refused(str(error)) from error


class OpenVinoSession:
    """A graph in OpenVINO, with the interface of an ONNX Runtime session."""

    def __init__(self, path: Path, threads: int) -> None:
        compiled = compile_openvino(path, threads)
        self._request = compiled.create_infer_request()
        self._names = [sorted(output.names) for output in compiled.outputs]
        self._indices = {name: index for index, names in enumerate(self._names) for name in names}

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        """The values of `outputs`, copies that stay valid after the next run. Raises Refused."""
        try:
            self._request.infer(dict(feeds), share_inputs=True)
        except RuntimeError as error:
            raise Refused(str(error)) from error
        indices = range(len(self._names)) if outputs is None else [self._indices[name] for name in outputs]
        return [self._request.get_output_tensor(index).data.copy() for index in indices]
