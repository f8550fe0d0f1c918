"""The texts in a torch.export program that end up in Python, held to what they have to be.

torch 2.13 resolves operators attribute by attribute from `torch` on, hands sizes to sympy's eval, compiles guards with
exec, writes names into the code of the module that it compiles, and imports what the structure of the inputs names.
Each is written by torch in one narrow form (torch/_export/serde/serialize.py, torch/export/_unlift.py,
torch/fx/graph.py, torch/utils/_pytree.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from converters.errors import SourceInvalid
from converters.sources.files import parse_object
from converters.sources.torch_expression import is_guard, is_size

# Without aten.from_file and aten.save, which open a file by its name, and without attributes of Python's own, such as
# __class__; of the operators that take graphs those that an exporter to ONNX may meet.
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.((?!__|from_file|save\b)\w+|__i?(and|or|xor|lshift|rshift)__)(\.(?!_)\w+)?|"
    r"torch\.(_check|_check_is_size|_?sym_\w+)|math\.(?!_)\w+|"
    r"torch\.ops\.higher_order\.(cond|while_loop|scan|map_impl|wrap_with_set_grad_enabled|wrap_with_autocast)|"
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem|abs|index)"
)
_OPERATORS = {"target", "as_operator"}
_VARIABLES = {"name", "as_name", "forward_arg_names"}
_VARIABLE = re.compile(r"([A-Za-z_]\w*)?")
_PLAIN = re.compile(r"[\w.@/+ -]*")  # names of parameters, keys, versions: wherever it stands in code, it calls nothing
_DATA = {"as_string", "as_strings"}  # arguments of operators: texts there, too
_STRUCTURES = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}


def checked_program(data: bytes, name: str) -> bytes:
    """The program in `data`, a JSON object, without guards and notes of where nodes came from: a graph needs neither.

    Raises SourceInvalid unless nodes call operators on tensors and nothing else names Python. `name` is the archive's.
    """
    program = parse_object(data, f"the program in {name}")
    guards = program.pop("guards_code", [])  # torch never sees them; but what is no guard there was meant for it
    if not isinstance(guards, list) or not all(isinstance(guard, str) and is_guard(guard) for guard in guards):
        raise refused(name, "a guard in it is no comparison of the inputs' sizes")
    for key, value in _values(program):
        if key == "metadata" and _is_notes(value):
            value.clear()
        elif isinstance(value, str):
            _check_text(key, value, name)
    return json.dumps({**program, "guards_code": []}).encode()


def _is_notes(value: Any) -> bool:
    """Whether it is what a node has at `metadata`, and not a tensor of that name."""
    return isinstance(value, dict) and all(isinstance(note, str) for note in value.values())


def _check_text(key: str, text: str, name: str) -> None:
    """Raise SourceInvalid where `text`, which stands at `key`, is not what torch writes there."""
    if key in _OPERATORS:
        if not _OPERATOR.fullmatch(text):
            raise refused(name, f"a node calls {text[:60]!a}, which is no operator on tensors")
    elif key == "expr_str":
        if not is_size(text):
            raise refused(name, "a size in it is no arithmetic expression")
    elif key in ("in_spec", "out_spec"):
        _check_structure(text, name)
    elif key not in _DATA and not (_VARIABLE if key in _VARIABLES else _PLAIN).fullmatch(text):
        raise refused(name, f"{text[:60]!a} in it is no name")


def _check_structure(text: str, name: str) -> None:
    """The tree of containers in which inputs and outputs come: `[1, {"type", "context", "children_spec"}]`."""
    if not text:  # of a part that is called with nothing
        return
    tree = _parsed(text, name)
    pending = tree[1:] if isinstance(tree, list) else [tree]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict) or not _is_container(node.get("type"), node.get("context"), name):
            raise refused(name, "its inputs or outputs come in something other than tuples, lists and dictionaries")
        children = node.get("children_spec")
        pending += children if isinstance(children, list) else [children]


def _is_container(kind: Any, context: Any, name: str) -> bool:
    """Whether torch makes the container without importing anything: `context` are the keys of a dictionary."""
    if not isinstance(kind, str | None) or kind not in _STRUCTURES:
        return False
    if context is None:
        return True
    keys = _parsed(context, name) if isinstance(context, str) else context
    return keys is None or (isinstance(keys, list) and all(map(_is_key, keys)))


def _is_key(key: Any) -> bool:
    return isinstance(key, int) or (isinstance(key, str) and _PLAIN.fullmatch(key) is not None)


def _parsed(text: str, name: str) -> Any:
    """The JSON value in `text`, which need not be an object."""
    return parse_object(f'{{"value": {text}}}'.encode(), f"a structure in {name}")["value"]


def _values(program: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value in a JSON object, at any depth, with the key it stands at; keys are values that stand at none."""
    pending: list[tuple[str, Any]] = [("", program)]
    while pending:
        key, value = pending.pop()
        yield key, value
        if isinstance(value, list):
            pending += [(key, entry) for entry in value]
        elif isinstance(value, dict):
            pending += value.items()
            pending += [("", inner) for inner in value]


def refused(name: str, why: str) -> SourceInvalid:
    """The error of the archive `name`, which would do more than compute with tensors."""
    return SourceInvalid(
        f"{name} is not opened: {why}.",
        "Save one program with torch.export.save that holds tensors only, or export the model to ONNX.",
    )
