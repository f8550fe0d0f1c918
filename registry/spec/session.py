"""How a graph is opened in ONNX Runtime: one place, so that what was certified is what serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(path: Path, threads: int, *, exact_x86: bool, save_optimized: Path | None = None) -> InferenceSession:
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
    if exact_x86:
        options.add_session_config_entry("session.x64quantprecision", "1")
    if save_optimized is not None:
        options.optimized_model_filepath = str(save_optimized)
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
