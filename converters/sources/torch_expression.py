"""Expressions in a torch.export program, which torch evaluates as Python: held to the arithmetic that torch writes.

Sizes are what sympy's srepr() writes of symbols and numbers, and torch hands them to sympy's eval
(torch/_export/serde/serialize.py). Guards compare the sizes of inputs, and torch compiles them
(torch/utils/_sympy/printers.py, torch/export/_unlift.py). Both are judged by their syntax tree, never by their text.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_LONGEST = 10_000  # characters of an expression
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


@dataclass(frozen=True)
class _Grammar:
    """What there is beside numbers, operators and comparisons, as ast.unparse() writes it."""

    atoms: re.Pattern[str]
    functions: re.Pattern[str]


_SIZE = _Grammar(
    atoms=re.compile(
        r"[a-z]+\d+|true|false|oo|int_oo|"
        r"Symbol\('[a-z]+\d+'(, [a-z]+=(True|False))*\)|Float\('-?[\d.]+(e[+-]?\d+)?', precision=\d+\)"
    ),
    functions=re.compile(
        r"Integer|Rational|Add|Mul|Pow|Max|Min|Abs|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge|Mod|Equality|Unequality|"
        r"(Strict)?(Less|Greater)Than|Where|FloorDiv|ModularIndexing|PythonMod|CleanDiv|CeilDiv|CeilToInt|FloorToInt|"
        r"IntTrueDiv|FloatTrueDiv|ToFloat|TruncToInt|RoundToInt|RoundDecimal|PowByNatural|FloatPow|LShift|RShift|"
        r"Identity|OpaqueUnaryFn_[a-z0-9]+|ceiling|floor"
    ),
)
_GUARD = _Grammar(
    atoms=re.compile(
        r"L(\['\w+'\]|\[\d+\])+\.((size|stride)\(\)\[\d+\]|(storage_offset|dim)\(\))|L(\['\w+'\]|\[\d+\])+|(math\.)?inf"
    ),
    functions=re.compile(
        r"max|min|abs|round|torch\.(sym_float|sym_ite|_sym_sqrt)|"
        r"math\.(floor|ceil|trunc|pow|sqrt|log2|isnan|(a?(cos|sin|tan)h?))"
    ),
)


def is_size(text: str) -> bool:
    """Whether `text` is an arithmetic expression over sizes, as sympy writes it."""
    return _holds(text, _SIZE)


def is_guard(text: str) -> bool:
    """Whether `text` compares sizes, strides and numbers among the inputs, and nothing else."""
    return _holds(text, _GUARD)


def _holds(text: str, grammar: _Grammar) -> bool:
    """Without comments and line breaks: sympy joins lines before it reads them."""
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or "#" in text:
        return False
    try:
        pending = [ast.parse(text, mode="eval").body]
        while pending:
            parts = _parts(pending.pop(), grammar)
            if parts is None:
                return False
            pending += parts
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last is the parser's word for deep nesting
        return False
    return True


def _parts(node: ast.expr, grammar: _Grammar) -> list[ast.expr] | None:
    """The expressions in an allowed one that are still to be judged; None for one that is not allowed."""
    match node:
        case ast.Constant(value=bool() | int() | float()):
            return []
        case ast.UnaryOp():
            return [node.operand]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.BoolOp():
            return node.values
        case ast.Compare() if all(isinstance(operator, _COMPARISONS) for operator in node.ops):
            return [node.left, *node.comparators]
        case ast.Call(keywords=[]) if grammar.functions.fullmatch(ast.unparse(node.func)):
            return node.args
    return [] if grammar.atoms.fullmatch(ast.unparse(node)) else None
