"""The same requests in the words of each server."""

from __future__ import annotations

import json
import random

from tritonclient.grpc import service_pb2 as pb

from registry.spec.task import USAGE_OUTPUT

_TEXTS = 512
_WORDS = (  # noqa: SIM905 - fifty words read better as sentences
    "the of a to and in is model server request batch token tensor queue memory latency price ledger tenant key quota "
    "answer question vector sentence language river mountain music kitchen weather history science teacher garden "
    "window engine travel market letter doctor winter summer bridge island forest painter bread water light sound"
).split()


def texts() -> list[str]:
    """Sentences of about 22 tokens, each another."""
    generator = random.Random(7)
    return [" ".join(generator.choices(_WORDS, k=20)) for _ in range(_TEXTS)]


def tiny_hub() -> list[str]:
    """Bodies of the unified route for the tiny model."""
    part = {"type": "tensor", "name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1.0, 2.0, 3.0, 4.0]}
    return [json.dumps({"model": "tiny", "input": [part]})]


def tiny_http() -> list[str]:
    """Bodies of Triton's own route for the tiny model."""
    return [json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1.0, 2.0, 3.0, 4.0]}]})]


def tiny_grpc() -> list[pb.ModelInferRequest]:
    """Messages of Triton's gRPC service for the tiny model."""
    request = pb.ModelInferRequest(model_name="tiny", raw_input_contents=[b"\0\0\x80?" * 4])
    request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    return [request]


def embedding_hub() -> list[str]:
    """Bodies of the OpenAI route, vectors as base64, as OpenAI's client asks for them."""
    return [json.dumps({"model": "minilm", "input": text, "encoding_format": "base64"}) for text in texts()]


def embedding_http() -> list[str]:
    """Bodies of Triton's own route, vectors as JSON: what curl would do."""
    return [
        json.dumps(
            {
                "inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": [text]}],
                "outputs": [{"name": "embedding"}, {"name": USAGE_OUTPUT}],
            }
        )
        for text in texts()
    ]


def embedding_grpc() -> list[pb.ModelInferRequest]:
    """Messages of Triton's gRPC service."""
    requests = []
    for text in texts():
        content = text.encode()
        request = pb.ModelInferRequest(
            model_name="minilm", raw_input_contents=[len(content).to_bytes(4, "little") + content]
        )
        request.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
        requests.append(request)
    return requests
