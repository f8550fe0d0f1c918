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
_SHORT = Scheme(bits=8, block=16, symmetric=False)
_FINE = Scheme(bits=4, symmetric=False, search=True)


@dataclass(frozen=True)
class Recipe:
    """One way to store the weights. `compensated` recipes need the moments of the calibration texts."""

    name: str
    arithmetic: Arithmetic
    plan: Plan
    compensated: bool = False


def recipes(names: Sequence[str]) -> list[Recipe]:
    """The ways to store the weights of the products `names`, of INT8 and of INT4.

    Activations are quantized in blocks as long as the weights': most of the loss of INT8 is theirs, and shorter blocks
    with zero points halve it for a sixth more time. The head is not compensated, since nothing after it could make up
    for its errors; in float it keeps the order of near ties best and takes the most time. The second INT4 has in INT8
    what the residual stream passes through.
    """
    head = [name for name in names if name == HEAD]
    in_int8 = [name for name in names if name == HEAD or name.endswith(_CAREFUL)]
    return [
        Recipe("INT8", _INT8, Plan(_WHOLE, embedding=_WHOLE)),
        Recipe("INT8 in blocks of 16", _INT8, Plan(_SHORT, dict.fromkeys(head, _WHOLE), embedding=_WHOLE)),
        Recipe("INT8 with a float head", _INT8, Plan(_SHORT, dict.fromkeys(head, None), embedding=_WHOLE)),
        Recipe("INT4", _INT4, Plan(_FINE, dict.fromkeys(head, _WHOLE), embedding=_WHOLE), compensated=True),
        Recipe(
            "INT4 with INT8", _INT4, Plan(_FINE, dict.fromkeys(in_int8, _WHOLE), embedding=_WHOLE), compensated=True
        ),
    ]
