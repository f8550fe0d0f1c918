"""Weight-only quantization of a decoder that onnxruntime-genai runs, one weight in memory at a time.

Every MatMul with a constant weight becomes MatMulNBits, and the embedding GatherBlockQuantized, which reads the head's
blocks where the two are tied. Weights go from external data into external data: memory is bounded by the largest of
them, not by the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from converters.chat import compensate
from converters.chat.blocks import Scheme, quantize
from converters.chat.moments import Moments

GRAPH = "model.onnx"
WEIGHTS = "model.onnx.data"

_DOMAIN = "com.microsoft"
_INTEGER_PRODUCTS = 4  # MatMulNBits' accuracy_level: activations are quantized to 8 bits in blocks of the same size
_ALIGNMENT = 4096  # of weights in their file, so that they can be mapped


@dataclass(frozen=True)
class Plan:
    """What becomes of each weight: by the name of its product in `exceptions`, else `scheme`; None leaves it in float.

    `embedding` is for a table that is not tied to the head.
    """

    scheme: Scheme | None
    exceptions: Mapping[str, Scheme | None] = field(default_factory=dict)
    embedding: Scheme | None = None

    def of(self, product: str) -> Scheme | None:
        """The scheme of the product of that name."""
        return self.exceptions.get(product, self.scheme)


def products(graph: onnx.GraphProto) -> dict[str, tuple[int, int]]:
    """The inputs and outputs of every product with a constant weight, by its name and in the order of the graph."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    return {
        node.name: (weights[node.input[1]].dims[0], weights[node.input[1]].dims[1])
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in weights
    }


def quantize_weights(source: Path, target: Path, plan: Plan, moments: Moments | None = None) -> None:
    """Write the decoder in the directory `source` into the directory `target`, with its weights as `plan` says.

    With `moments`, products whose inputs they know are rounded with compensation.
    """
    model = onnx.load(source / GRAPH, load_external_data=False)
    with (target / WEIGHTS).open("wb") as file:
        _Rewriting(model.graph, source, file, plan, moments).run()
    onnx.save(model, target / GRAPH)


class _Rewriting:
    """One pass over a graph, which is changed in place."""

    def __init__(
        self, graph: onnx.GraphProto, source: Path, file: BinaryIO, plan: Plan, moments: Moments | None
    ) -> None:
        self._graph = graph
        self._source = source
        self._file = file
        self._plan = plan
        self._moments = moments
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._transposed = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Transpose"}
        self._schemes: dict[str, Scheme] = {}  # of weights by name
        self._written: dict[str, TensorProto] = {}

    def run(self) -> None:
        """Rewrite the products, then the lookups, which may share their blocks, then write the weights left over."""
        nodes = [self._product(node) if self._is_product(node) else node for node in self._graph.node]
        nodes = [self._lookup(node) if node.op_type == "Gather" else node for node in nodes]
        nodes = list(_without_unused(nodes, {value.name for value in self._graph.output}))
        used = {name for node in nodes for name in node.input}
        for name in [name for name in self._tensors if name in used]:
            self._write(name, self._read(name))
        del self._graph.node[:], self._graph.initializer[:], self._graph.value_info[:]
        self._graph.node.extend(nodes)
        self._graph.initializer.extend(self._written[name] for name in sorted(self._written))

    def _is_product(self, node: onnx.NodeProto) -> bool:
        return node.op_type == "MatMul" and node.input[1] in self._tensors

    def _product(self, node: onnx.NodeProto) -> onnx.NodeProto:
        scheme = self._plan.of(node.name)
        if scheme is None:
            return node
        weight = node.input[1]
        inputs, outputs = self._tensors[weight].dims
        moments = None if self._moments is None or inputs % scheme.block else self._moments.of(node.input[0])
        names = self._blocks(weight, self._read(weight).T, scheme, moments)
        return helper.make_node(
            "MatMulNBits",
            [node.input[0], *names],
            node.output,
            node.name,
            domain=_DOMAIN,
            K=inputs,
            N=outputs,
            bits=scheme.bits,
            block_size=scheme.block,
            accuracy_level=_INTEGER_PRODUCTS,
        )

    def _lookup(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The embedding out of the blocks of a head that is tied to it, else out of blocks of its own."""
        table = self._transposed.get(node.input[0], node.input[0])
        if table in self._tensors and table not in self._schemes and self._plan.embedding is not None:
            if len(self._tensors[table].dims) != 2 or table != node.input[0]:
                return node
            self._blocks(table, self._read(table), self._plan.embedding)
        scheme = self._schemes.get(table)
        if scheme is None or _inputs(self._tensors[table], table != node.input[0]) % scheme.block:
            return node
        names = [f"{table}.{part}" for part in ("rows", "scales", "zero_points") if f"{table}.{part}" in self._written]
        return helper.make_node(
            "GatherBlockQuantized",
            [names[0], node.input[1], *names[1:]],
            node.output,
            node.name,
            domain=_DOMAIN,
            bits=scheme.bits,
            block_size=scheme.block,
            gather_axis=0,
            quantize_axis=1,
        )

    def _blocks(
        self, name: str, weight: NDArray[np.float32], scheme: Scheme, moments: NDArray[np.float32] | None = None
    ) -> list[str]:
        """Write `weight` [outputs, inputs] in blocks; the names of the tensors that MatMulNBits takes.

        `rows` are the same bytes as `codes`, in the shape that GatherBlockQuantized takes.
        """
        if name not in self._schemes:
            self._schemes[name] = scheme
            blocks = quantize(weight, scheme) if moments is None else compensate.quantize(weight, moments, scheme)
            self._write(f"{name}.codes", blocks.codes)
            self._write(f"{name}.scales", blocks.scales)
            if blocks.zero_points is not None:
                self._write(f"{name}.zero_points", blocks.zero_points)
            rows = TensorProto()
            rows.CopyFrom(self._written[f"{name}.codes"])
            rows.name = f"{name}.rows"
            rows.dims[:] = [len(blocks.codes), blocks.codes[0].size]
            self._written[rows.name] = rows
        parts = [f"{name}.{part}" for part in ("codes", "scales", "zero_points")]
        return [part for part in parts if part in self._written]

    def _read(self, name: str) -> NDArray[Any]:
        """A weight out of the source's external data, mapped and not copied."""
        tensor = self._tensors[name]
        place = {entry.key: entry.value for entry in tensor.external_data}
        if "offset" not in place:
            return onnx.numpy_helper.to_array(tensor)
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        return np.memmap(self._source / WEIGHTS, dtype, mode="r", offset=int(place["offset"]), shape=tuple(tensor.dims))

    def _write(self, name: str, value: NDArray[Any]) -> None:
        self._file.write(b"\0" * (-self._file.tell() % _ALIGNMENT))
        tensor = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(value.dtype),
            dims=value.shape,
            data_location=TensorProto.EXTERNAL,
        )
        for key, entry in (("location", WEIGHTS), ("offset", self._file.tell()), ("length", value.nbytes)):
            tensor.external_data.add(key=key, value=str(entry))
        self._file.write(np.ascontiguousarray(value).data)
        self._written[name] = tensor


def _inputs(tensor: TensorProto, transposed: bool) -> int:
    return int(tensor.dims[0 if transposed else 1])


def _without_unused(nodes: list[onnx.NodeProto], outputs: set[str]) -> Iterator[onnx.NodeProto]:
    """The nodes that something reads: a transposed table is read by nothing once the table is in blocks."""
    used = outputs | {name for node in nodes for name in node.input}
    return (node for node in nodes if any(name in used for name in node.output))
