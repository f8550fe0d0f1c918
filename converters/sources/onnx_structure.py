"""The structure of an ONNX graph: known operators, one node for each value, and nothing read before it is there.

The rules are those of the specification (https://onnx.ai/onnx/repo-docs/IR.html): values are in static single
assignment form, nodes in topological order, and a graph inside a node sees the values that are there at the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import defs

from converters.errors import SourceInvalid

_MOST_OPSET = 26
_STANDARD = ("", "ai.onnx")
_DOMAINS = {*_STANDARD, "ai.onnx.ml", "com.microsoft"}
_WITHOUT_SCHEMA = {"com.microsoft"}  # ONNX Runtime's own operators; it names the unknown ones when it opens the graph
_MADE_BY_A_TOOL = "Export it again, or repair it with the tool that wrote it; onnx.checker.check_model says where."


def check_operators(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], name: str) -> None:
    """Raise SourceInvalid unless every node's operator is one that the graph's opset has. `name` is the file's."""
    opsets = _opsets(model, name)
    domains = {node.domain for node in nodes}
    if not domains <= _DOMAINS:
        raise SourceInvalid(
            f"The graph in {name} uses operators of its own (a custom domain).",
            "Export it with the standard operators only.",
        )
    for domain, operator in sorted({(node.domain, node.op_type) for node in nodes}):
        version = opsets.get("" if domain in _STANDARD else domain)
        if version is None:
            raise SourceInvalid(f"{name} does not say which opset its operators are of.", "Export it with opset 20.")
        if domain not in _WITHOUT_SCHEMA and not _exists(operator, version, domain):
            shown = operator[:50] if operator.isidentifier() else "one without a name"
            raise SourceInvalid(
                f"{name} has an operator that opset {version} does not have: {shown}.",
                "Export it with the standard operators of opset 20.",
            )


def _opsets(model: onnx.ModelProto, name: str) -> dict[str, int]:
    opsets = {"" if entry.domain in _STANDARD else entry.domain: entry.version for entry in model.opset_import}
    if not 1 <= opsets.get("", 1) <= _MOST_OPSET:
        raise SourceInvalid(f"{name} is in an opset above {_MOST_OPSET} or below 1.", "Export it with opset 20.")
    return opsets


def _exists(operator: str, version: int, domain: str) -> bool:
    try:
        schema = defs.get_schema(operator, version, "" if domain in _STANDARD else domain)
    except defs.SchemaError:
        return False
    return not schema.deprecated


def check_values(graph: onnx.GraphProto, name: str) -> None:
    """Raise SourceInvalid where a value is made twice, never, or only after a node has read it."""
    _check_graph(graph, None, name)


def _check_graph(graph: onnx.GraphProto, outside: _Values | None, name: str) -> None:
    values = _Values(graph, outside, name)
    for position, node in enumerate(graph.node):
        for value in node.input:
            values.read(value, position)
        for attribute in node.attribute:
            for subgraph in subgraphs(attribute):
                _check_graph(subgraph, values, name)
        for value in node.output:
            values.make(value)
    for output in graph.output:
        values.read(output.name, len(graph.node))


def subgraphs(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside an attribute of a node, as those of If, Loop and Scan."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


class _Values:
    """The values that are there while the nodes of a graph are gone through in their order."""

    def __init__(self, graph: onnx.GraphProto, outside: _Values | None, name: str) -> None:
        self._graph, self._outside, self._name = graph, outside, name
        self._made: set[str] = set()
        for value in graph.input:
            self.make(value.name)
        constants = {tensor.name for tensor in graph.initializer}
        if len(constants) < len(graph.initializer):
            raise self._twice()
        self._made |= constants  # a constant may be an input's default

    def make(self, value: str) -> None:
        if value in self._made:
            raise self._twice()
        if value:  # an optional output may be left out
            self._made.add(value)

    def read(self, value: str, position: int) -> None:
        if not value or self.sees(value):  # an optional input may be left out
            return
        later = any(value in node.output for node in self._graph.node[position:])
        reader = f"node {position} of {len(self._graph.node)}" if position < len(self._graph.node) else "the end"
        raise SourceInvalid(
            f"In {self._name}, {reader} reads a value that "
            + ("only that node or a later one makes: a cycle, or nodes out of order." if later else "nothing makes."),
            _MADE_BY_A_TOOL,
        )

    def sees(self, value: str) -> bool:
        return value in self._made or (self._outside is not None and self._outside.sees(value))

    def _twice(self) -> SourceInvalid:
        return SourceInvalid(f"In {self._name}, two nodes or weights make one value.", _MADE_BY_A_TOOL)
