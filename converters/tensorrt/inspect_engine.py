"""What a plan really runs in INT8, out of what TensorRT says about its layers: a build does not prove INT8 kernels.

TensorRT describes a plan's layers as JSON through its inspector, which needs the GPU, and in words of the same content
in the builder's log. In version 10 a tensor has one field `Format/Datatype`, in 11 `Datatype` and `Format`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from converters.errors import ConversionFailed
from registry.spec.certificate import Operators

_PRODUCT = re.compile(r"conv|correlation|gemm|matrix_?mult|matmul|mha|attention", re.IGNORECASE)
"""Layers that multiply matrices or convolve, in the names of TensorRT's own kernels (CaskConvolution) and of its
compiler (correlation, deconv, gemm). All others move, cast or compute by element."""

_LINE = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w+), Inputs: \[(?P<inputs>.*?)\], "
    r"(?:Constants: \[(?P<constants>.*?)\], )?Outputs: ",
    re.MULTILINE,
)
_TENSOR = re.compile(r"Dimensions: \[(?P<dims>[^\]]*)\].*?(?:Datatype|Format/Datatype): (?P<type>[^,}]*)")

_FUSED = re.compile(r"_gemm_|__myl_\w*Fc[A-Z_]")
"""How the name begins of a layer that the compiler made of products and what surrounds them, an attention mostly; its
kind (kgen, runtime_fusion) is that of any other."""


@dataclass(frozen=True)
class Layer:
    """One layer of a plan: its kind, and the types of what it reads and of its weights, as TensorRT writes them."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    weights: tuple[str, ...]

    @property
    def is_product(self) -> bool:
        """Whether it multiplies matrices or convolves."""
        return self.label != self.kind or _PRODUCT.search(self.kind) is not None

    @property
    def label(self) -> str:
        """Under which name it is counted."""
        return "fused products" if _FUSED.match(self.name) and not _PRODUCT.search(self.kind) else self.kind

    @property
    def is_int8(self) -> bool:
        """Whether it reads INT8 on both sides; where TensorRT does not say what it reads, its weights decide.

        Further inputs, such as a residual that is added in the same kernel, do not matter.
        """
        sides = (*self.inputs[:1], self.weights[0]) if self.weights else self.inputs[:2]
        said = [kind for kind in sides if "N/A" not in kind]
        return bool(said) and all("Int8" in kind for kind in said)


def inspect(api: Any, plan: bytes, logger: Any) -> Operators:
    """What `plan` runs, asked of TensorRT on the machine with its GPU. Raises ConversionFailed where it cannot be."""
    engine = api.Runtime(logger).deserialize_cuda_engine(plan)
    if engine is None:
        raise ConversionFailed(
            "The plan cannot be opened on this machine.", "Look into it where it was built: on the same model of GPU."
        )
    return of_json(engine.create_engine_inspector().get_engine_information(api.LayerInformationFormat.JSON))


def of_json(description: str) -> Operators:
    """What a plan runs, of its inspector's JSON. Raises ConversionFailed for a plan that kept only layers' names."""
    layers = json.loads(description)["Layers"]
    if not all(isinstance(layer, dict) for layer in layers):
        raise ConversionFailed(
            "The plan says only the names of its layers.", "Build it with detailed profiling verbosity."
        )
    return _operators(map(_of_object, layers))


def of_listing(listing: str) -> Operators:
    """What a plan runs, of the list of layers in its builder's log."""
    return _operators(layers_of_listing(listing))


def layers_of_listing(listing: str) -> list[Layer]:
    """The layers in a builder's log."""
    return [
        Layer(
            match["name"],
            match["kind"],
            tuple(tensor["type"] for tensor in _TENSOR.finditer(match["inputs"])),
            _weights((_size(tensor["dims"].split(",")), tensor["type"]) for tensor in _constants(match)),
        )
        for match in _LINE.finditer(listing)
    ]


def _constants(match: re.Match[str]) -> Iterable[re.Match[str]]:
    return _TENSOR.finditer(match["constants"] or "")


def _of_object(layer: dict[str, Any]) -> Layer:
    """A layer of either version's JSON. TensorRT's own kernels have `Weights`, those of its compiler `Constants`."""
    constants = [(_size(tensor.get("Dimensions", ())), _type(tensor)) for tensor in layer.get("Constants", ())]
    own = layer.get("Weights")
    if isinstance(own, dict) and own.get("Count", 0):
        constants.append((int(own["Count"]), str(own.get("Type", "N/A"))))
    inputs = tuple(_type(tensor) for tensor in layer.get("Inputs", ()))
    return Layer(str(layer.get("Name", "")), str(layer.get("LayerType", "")), inputs, _weights(constants))


def _type(tensor: dict[str, Any]) -> str:
    return str(tensor.get("Datatype") or tensor.get("Format/Datatype") or "N/A")


def _weights(constants: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """The types of constants, largest first, without single numbers, which scale a result."""
    large = [(size, kind) for size, kind in constants if size > 1]
    return tuple(kind for _, kind in sorted(large, key=lambda entry: -entry[0]))


def _size(dimensions: Iterable[Any]) -> int:
    return prod(abs(int(dimension)) for dimension in dimensions if str(dimension).strip())


def _operators(layers: Iterable[Layer]) -> Operators:
    """Counted as everywhere: all products by how they run, and the share among those with weights.

    A plan of several profiles has the layers of each, and each is counted.
    """
    products = [layer for layer in layers if layer.is_product]
    weighted = [layer for layer in products if layer.weights]
    quantized = sum(layer.is_int8 for layer in weighted)
    return Operators(
        quantized=_counted(layer.label for layer in products if layer.is_int8),
        floating=_counted(layer.label for layer in products if not layer.is_int8),
        quantized_share=quantized / len(weighted) if weighted else 0.0,
    )


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(kinds).items()))
