"""NumPy arrays to and from the raw tensors of Triton's gRPC messages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from registry.spec.signature import DataType

Typed = tuple[DataType, NDArray[Any]]


def infer_request(model: str, inputs: dict[str, Typed]) -> pb.ModelInferRequest:
    """A request for every output of `model`; BYTES arrays hold `str` or `bytes` objects."""
    request = pb.ModelInferRequest(model_name=model)
    for name, (datatype, array) in inputs.items():
        request.inputs.add(name=name, datatype=datatype.value, shape=array.shape)
        request.raw_input_contents.append(_to_raw(datatype, array))
    return request


def outputs(response: pb.ModelInferResponse) -> dict[str, Typed]:
    """The outputs of a response by name; the arrays are views of the message, BYTES ones of `bytes` objects."""
    return {
        output.name: (DataType(output.datatype), _from_raw(DataType(output.datatype), raw).reshape(output.shape))
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def _to_raw(datatype: DataType, array: NDArray[Any]) -> bytes:
    if datatype is not DataType.BYTES:
        return np.ascontiguousarray(array, dtype=datatype.numpy).tobytes()
    if array.size == 0:
        return b""
    raw: bytes = serialize_byte_tensor(array.astype(np.object_)).item()
    return raw


def _from_raw(datatype: DataType, raw: bytes) -> NDArray[Any]:
    if datatype is not DataType.BYTES:
        return np.frombuffer(raw, dtype=datatype.numpy)
    array: NDArray[Any] = deserialize_bytes_tensor(raw)
    return array
