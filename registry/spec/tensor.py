"""The task `tensor`: any ONNX graph with a batch dimension, tensors in and tensors out, billed by the request row."""

from __future__ import annotations

from registry.spec.task import Modality, Task, Unit

TASK = Task(
    name="tensor",
    title="Tensors to tensors",
    input=Modality.TENSOR,
    output=Modality.TENSOR,
    units=(Unit("requests", billed=True, meaning="rows answered"),),
)
