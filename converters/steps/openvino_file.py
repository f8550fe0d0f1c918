"""An ONNX graph in OpenVINO's own format, which opens faster and keeps integer weights small."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_BETWEEN_TAGS = re.compile(rb">\s+<")


def available() -> bool:
    """Whether OpenVINO is installed here."""
    return find_spec("openvino") is not None


def write(graph: Path, target: Path) -> None:
    """Write `target`, an .xml with a .bin beside it. Raises EngineRefused where OpenVINO cannot take the graph.

    The frontend is asked for by itself: `convert_model` would report its use to its maker.
    """
    import openvino
    from openvino._offline_transformations import apply_moc_transformations  # what ovc and NNCF call as well

    from converters.steps.run import EngineRefused

    try:
        model = openvino.Core().read_model(str(graph))
        apply_moc_transformations(model, cf=True)  # halves the .xml: Q/DQ pairs become one node, shapes constants
        openvino.save_model(model, str(target), compress_to_fp16=False)
    except RuntimeError as error:
        raise EngineRefused(str(error)) from error
    # Indentation is a third of the file, and of a small INT8 model a twentieth.
    target.write_bytes(_BETWEEN_TAGS.sub(b"><", target.read_bytes()))
