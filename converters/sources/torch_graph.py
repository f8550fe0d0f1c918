"""The texts in a torch.export program that torch looks up in Python or evaluates, held to what they have to be.

torch 2.13 resolves a node's target attribute by attribute from `torch` on, hands sizes to sympy's eval, compiles guards
with exec, and imports what the structure of the inputs names. Each is written by torch in one narrow form
(torch/_export/serde/serialize.py, torch/export/_unlift.py, torch/utils/_pytree.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from converters.errors import SourceInvalid
from converters.sources.files import parse_object

_LONGEST = 10_000  # characters of an expression
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|higher_order)\.\w+(\.\w+)?|torch\.(_check|_check_is_size|sym_\w+|_sym_\w+)|math\.\w+|"
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem|abs|index)"
)
_FUNCTION = re.compile(
    r"Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Abs|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge|Mod|Equality|Unequality|"
    r"(Strict)?(Less|Greater)Than|Where|FloorDiv|ModularIndexing|PythonMod|CleanDiv|CeilDiv|CeilToInt|FloorToInt|"
    r"IntTrueDiv|FloatTrueDiv|ToFloat|TruncToInt|RoundToInt|RoundDecimal|PowByNatural|FloatPow|LShift|RShift|Identity|"
    r"OpaqueUnaryFn_\w+|ceiling|floor|max|min|and|or|not"
)
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_ARITHMETIC = re.compile(r"[\w ()+*/<>=%&|~!,-]*")
_SYMBOL = re.compile(r"Symbol\('\w+'")
_DECIMAL = re.compile(r"\b\d+\.\d+")
_INPUT = re.compile(r"L(\['\w+'\]|\[\d+\])+\.((size|stride)\(\)\[\d+\]|(storage_offset|dim)\(\))")
_STRUCTURES = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}


def check_program(program: dict[str, Any], name: str) -> None:
    """Raise SourceInvalid unless nodes call operators on tensors and nothing else names Python. `name` is shown."""
    guards = program.get("guards_code", [])
    if not isinstance(guards, list) or not all(isinstance(guard, str) and _is_guard(guard) for guard in guards):
        raise refused(name, "a guard in it is no comparison of the inputs' sizes")
    for key, text in _texts(program):
        if key == "target" and not _OPERATOR.fullmatch(text):
            raise refused(name, f"a node calls {text[:60]!a}, which is no operator on tensors")
        if key == "expr_str" and not _is_arithmetic(_SYMBOL.sub("Symbol(s", text)):
            raise refused(name, "a size in it is no arithmetic expression")
        if key in ("in_spec", "out_spec") and text:
            _check_structure(text, name)


def _is_guard(guard: str) -> bool:
    return _is_arithmetic(_INPUT.sub("s", guard))


def _is_arithmetic(text: str) -> bool:
    """Whether `text` has numbers, names, operators and known functions, and no text, attribute or index."""
    text = _DECIMAL.sub("1", text)
    plain = len(text) <= _LONGEST and _ARITHMETIC.fullmatch(text) is not None and "__" not in text
    return plain and all(_FUNCTION.fullmatch(function) for function in _CALL.findall(text))


def _check_structure(text: str, name: str) -> None:
    """The tree of containers in which inputs and outputs come: `[1, {"type", "context", "children_spec"}]`."""
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
    return keys is None or (isinstance(keys, list) and all(isinstance(key, str | int) for key in keys))


def _parsed(text: str, name: str) -> Any:
    """The JSON value in `text`, which need not be an object."""
    return parse_object(f'{{"value": {text}}}'.encode(), f"a structure in {name}")["value"]


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with the key it stands at."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from ((key, text) for key, text in value.items() if isinstance(text, str))
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def refused(name: str, why: str) -> SourceInvalid:
    """The error of the archive `name`, which would do more than compute with tensors."""
    return SourceInvalid(
        f"{name} is not opened: {why}.",
        "Save one program with torch.export.save that holds tensors only, or export the model to ONNX.",
    )
