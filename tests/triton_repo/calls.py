"""Calls to the models of `graphs`, and what they must answer."""

from typing import Any

import numpy as np

from registry.spec.signature import DataType
from triton_repo.control import TritonControl
from triton_repo.tensors import infer_request, outputs

Answer = dict[str, np.ndarray]


async def call(control: TritonControl, model: str, name: str, datatype: DataType, rows: Any) -> Answer:
    array = np.array(rows, dtype=datatype.numpy)
    answer = outputs(await control.infer(infer_request(model, {name: (datatype, array)}), seconds=60))
    return {output: values for output, (_, values) in answer.items()}


async def affine(control: TritonControl, rows: Any, model: str = "affine") -> Answer:
    return await call(control, model, "x", DataType.FP32, rows)


async def lookup(control: TritonControl, rows: Any) -> Answer:
    return await call(control, "lookup", "i", DataType.INT64, rows)


async def embed(control: TritonControl, texts: list[str | bytes]) -> Answer:
    return await call(control, "words", "text", DataType.BYTES, [[text] for text in texts])
