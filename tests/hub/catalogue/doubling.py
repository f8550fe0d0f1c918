"""A model whose versions are told apart by what they answer: version n multiplies by n + 1."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from hub.client import Conch
from tests.hub.stack import Stack


def write_factor(directory: Path, factor: float) -> None:
    """The ONNX model y = factor · x over rows of four numbers."""
    directory.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        "factor",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [factor])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    onnx.save(model, directory / "model.onnx")


def publish_factors(stack: Stack, key: str, name: str, directory: Path, factors: list[float]) -> list[str]:
    """Register `name` with a version for each factor, one after the other; the ids of their jobs."""
    jobs = []
    with Conch(stack.url, key) as client:
        client.register_model(name, "tensor", {"requests": 7})
        for number, factor in enumerate(factors, start=1):
            write_factor(directory / str(number), factor)
            version = client.create_version(name, client.upload_directory(directory / str(number)), "float32")
            assert version["number"] == number
            *_, end = client.watch_job(version["job_id"])
            assert end.outcome == "published", end
            jobs.append(version["job_id"])
    return jobs
