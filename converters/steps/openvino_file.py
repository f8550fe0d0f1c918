"""An ONNX graph in OpenVINO's own format, which opens faster and keeps integer weights small."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def available() -> bool:
    """Whether OpenVINO is installed here."""
    return find_spec("openvino") is not None


def write(graph: Path, target: Path) -> None:
    """Write `target`, an .xml with a .bin beside it. Raises EngineRefused where OpenVINO cannot take the graph.

    The frontend is asked for by itself: `convert_model` would report its use to its maker.
    """
    import openvino

    from converters.steps.run import EngineRefused

    try:
        model = openvino.Core().read_model(str(graph))
        openvino.save_model(model, str(target), compress_to_fp16=False)
    except RuntimeError as error:
        raise EngineRefused(str(error)) from error
