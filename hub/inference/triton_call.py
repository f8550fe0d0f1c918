"""One batch of rows through Triton: build the request, read the answer, name what went wrong."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence

import grpc
from tritonclient.grpc import service_pb2 as pb

from hub.errors import ConchError, Unavailable, Unprocessable
from hub.inference.refusals import refused
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes, split
from hub.serving.pool import TritonPool
from registry.spec.task import REFUSED_INPUT, USAGE_OUTPUT
from triton_repo.control import model_died

_INT64_BYTES = 8


async def infer_batch(
    pool: TritonPool, target: Target, shapes: RowShapes, rows: Sequence[Row], seconds: float
) -> Answer:
    """Run `rows` of equal shapes, at most `target.max_batch` of them, and take the answer apart.

    Raises `Unavailable` where no server answers in `seconds`, `Unprocessable` where the model refuses the rows.
    """
    server = await pool.find(target.serving_name)
    if server is None:
        raise Unavailable("The model is being loaded.", reason="loading", retry_after=1)
    request = _request(target, shapes, rows)
    started = time.perf_counter()
    with server.call():
        try:
            response = await server.control.stub.ModelInfer(request, metadata=server.control.metadata, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            if model_died(error.details() or ""):
                server.lost(target.serving_name)
            raise _translate(error) from error
    return _answer(target, response, len(rows), time.perf_counter() - started)


def _request(target: Target, shapes: RowShapes, rows: Sequence[Row]) -> pb.ModelInferRequest:
    count = len(rows)
    request = pb.ModelInferRequest(model_name=target.serving_name)
    for position, spec in enumerate(target.signature.inputs):
        tensor = request.inputs.add()
        tensor.name = spec.name
        tensor.datatype = spec.datatype.value
        tensor.shape.append(count)
        tensor.shape.extend(shapes.shapes[position])
        request.raw_input_contents.append(b"".join([row[position] for row in rows]))
    for output in target.signature.outputs:
        request.outputs.add().name = output.name
    request.outputs.add().name = USAGE_OUTPUT
    return request


def _answer(target: Target, response: pb.ModelInferResponse, count: int, seconds: float) -> Answer:
    raw = {tensor.name: index for index, tensor in enumerate(response.outputs)}
    columns, shapes = [], []
    for spec in target.signature.outputs:
        index = raw[spec.name]
        columns.append(split(response.raw_output_contents[index], spec, count))
        shapes.append(tuple(response.outputs[index].shape[1:]))
    counts = array("q", response.raw_output_contents[raw[USAGE_OUTPUT]])
    units = len(counts) // count
    usage = [counts[start : start + units].tolist() for start in range(0, len(counts), units)]
    return Answer(list(zip(*columns, strict=True)), tuple(shapes), usage, seconds)


def _translate(error: grpc.aio.AioRpcError) -> ConchError:
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable("The model did not answer in time.", reason="deadline", retry_after=1)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        _, for_sender, sentences = (error.details() or "").partition(REFUSED_INPUT)
        if for_sender:
            return refused(sentences, "input")
        return Unprocessable("The model refuses this input.", param="input", reason="model_refused")
    return Unavailable("The model does not answer at the moment.", reason="triton", retry_after=1)
