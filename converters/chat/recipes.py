"""What is tried with the weights of a decoder: the ways to store them, from the most careful to the smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converters.chat.blocks import Scheme
from converters.chat.weights import Plan
from registry.spec.certificate import Arithmetic

HEAD = "/lm_head/MatMul"

_CAREFUL = ("/down_proj/MatMul", "/qkv_proj/MatMul", "/o_proj/MatMul")
_INT8 = Arithmetic.INT8_WEIGHTS
_INT4 = Arithmetic.INT4_WEIGHTS
_WHOLE = Scheme(bits=8)
_FINE = Scheme(bits=4, symmetric=False, search=True)


@dataclass(frozen=True)
class Recipe:
    """One way to store the weights. `compensated` recipes need the moments of the calibration texts."""

    name: str
    arithmetic: Arithmetic
    plan: Plan
    compensated: bool = False


def recipes(names: Sequence[str]) -> list[Recipe]:
    """What is tried: INT8 symmetric and with zero points, INT4 with a head in INT8, and with more than that in INT8.

    The head decides between tens of thousands of tokens and is not compensated: no error of it is made up for by
    anything after it. The second INT4 has the projections of attention and the way out of each block in INT8 as well.
    """
    head = {name: _WHOLE for name in names if name == HEAD}
    careful = {name: _WHOLE for name in names if name == HEAD or name.endswith(_CAREFUL)}
    return [
        Recipe("INT8", _INT8, Plan(_WHOLE, embedding=_WHOLE)),
        Recipe("INT8 with zero points", _INT8, Plan(Scheme(8, symmetric=False), embedding=_WHOLE)),
        Recipe("INT4", _INT4, Plan(_FINE, head, embedding=_WHOLE), compensated=True),
        Recipe("INT4 with INT8", _INT4, Plan(_FINE, careful, embedding=_WHOLE), compensated=True),
    ]
