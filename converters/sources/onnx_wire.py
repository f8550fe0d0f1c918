"""A count of the nodes in an ONNX file from its wire format, before the protobuf library builds a million objects.

Wire format: https://protobuf.dev/programming-guides/encoding; field numbers: onnx/onnx.proto. A message is a run of
fields, each a varint `number << 3 | wire type` and its value; only the messages that lead to nodes are entered.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converters.errors import SourceInvalid

MOST_NODES = 50_000  # the largest graphs in use have a few thousand
MOST_DEPTH = 12  # graphs within graphs; the protobuf library stops at 100 messages, which are 33 graphs
_MOST_FIELDS = 4_000_000  # of all the messages that are entered: 80 for each node, counted in 4 s

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ENTERED = {
    "model": {7: "graph"},
    "graph": {1: "node"},
    "node": {5: "attribute"},
    "attribute": {6: "graph", 11: "graph"},
}
_REFUSED = {
    20: ("graphs to train with (training_info)", "Save the model without training information."),
    25: ("model functions", "Export it with the standard operators only, or inline them with onnx.inliner."),
}
"""Fields of a model with nodes of their own: Conch runs neither, and the protobuf library would build them all."""

_EXPORT = "Upload the file that torch.onnx.export or onnx.save wrote."


@dataclass(frozen=True)
class _Message:
    kind: str
    begin: int
    end: int
    depth: int  # graphs around it


def check_size(path: Path) -> None:
    """Raise SourceInvalid where the file `path` is no protobuf, or has more nodes or deeper graphs than Conch takes.

    Takes 2 s for 50,000 nodes, and stops at the first node beyond.
    """
    nodes, fields = 0, 0
    with path.open("rb") as file:
        size = path.stat().st_size
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        pending = [_Message("model", 0, size, 0)]
        while pending:
            for inner in _enter(data, pending.pop(), path.name):
                fields += 1
                if fields > _MOST_FIELDS:
                    raise _too_many(path.name, f"{_MOST_FIELDS} entries in its graphs")
                if inner is not None:
                    nodes += inner.kind == "node"
                    if nodes > MOST_NODES:
                        raise _too_many(path.name, f"{MOST_NODES} nodes")
                    pending.append(inner)


def _enter(data: mmap.mmap | bytes, message: _Message, name: str) -> Iterator[_Message | None]:
    """The messages in `message` that may lead to nodes, and None for each other field."""
    entered = _ENTERED[message.kind]
    depth = message.depth + (message.kind == "graph")
    if depth > MOST_DEPTH:
        raise SourceInvalid(f"The graphs in {name} lie more than {MOST_DEPTH} deep in each other.", _EXPORT)
    position = message.begin
    while position < message.end:
        tag, position = _varint(data, position, message.end, name)
        wire = tag & 7
        length = 8 if wire == _FIXED64 else 4
        if wire in (_VARINT, _BYTES):
            length, position = _varint(data, position, message.end, name)
        elif wire not in (_FIXED64, _FIXED32):
            raise _broken(name)
        end = position if wire == _VARINT else position + length
        if end > message.end:
            raise _broken(name)
        if message.kind == "model" and tag >> 3 in _REFUSED:
            what, remedy = _REFUSED[tag >> 3]
            raise SourceInvalid(f"{name} has {what}.", remedy)
        kind = entered.get(tag >> 3) if wire == _BYTES else None
        yield _Message(kind, position, end, depth) if kind else None
        position = end


def _varint(data: mmap.mmap | bytes, position: int, end: int, name: str) -> tuple[int, int]:
    """The number at `position` and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise _broken(name)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _broken(name)


def _too_many(name: str, what: str) -> SourceInvalid:
    return SourceInvalid(f"The graph in {name} has more than {what}.", "Simplify the graph, or export it again.")


def _broken(name: str) -> SourceInvalid:
    return SourceInvalid(f"{name} is not an ONNX file.", _EXPORT)
