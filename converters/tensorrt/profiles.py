"""Optimisation profiles: for which shapes of its inputs a plan is built, out of batch and length buckets.

A plan answers only shapes inside a profile, and is fastest at the profile's `best`. Text gets one profile for each
length that the front pads to, so that a batch of short texts never runs a kernel that was chosen for long ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import onnx

Shape = tuple[int, ...]

_MOST = 16  # each profile has its own kernels and, in Triton, its own execution context with its own memory


@dataclass(frozen=True)
class Span:
    """The least, the best and the greatest size of one dimension."""

    least: int
    best: int
    greatest: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.best <= self.greatest:
            raise ValueError(f"a dimension cannot be from {self.least} over {self.best} to {self.greatest}")


Bucket = Mapping[str, Span]
"""The dynamic dimensions other than the batch, by their names in the graph, for one profile."""


@dataclass(frozen=True)
class Profile:
    """The shapes of each dynamic input, batch included: least, best and greatest."""

    shapes: Mapping[str, tuple[Shape, Shape, Shape]]


def batch(greatest: int, best: int | None = None) -> Span:
    """A batch of one row up to `greatest`; `best`, the greatest if left out, is the batch that is preferred."""
    return Span(1, greatest if best is None else best, greatest)


def padded(dimension: str, sizes: Sequence[int]) -> tuple[Bucket, ...]:
    """A bucket for each size: something in front pads to exactly these."""
    return tuple({dimension: Span(size, size, size)} for size in _ascending(sizes))


def ranges(dimension: str, sizes: Sequence[int]) -> tuple[Bucket, ...]:
    """A bucket up to each size, from one above the size before: nothing pads, and each size is the best of its own."""
    bounds = pairwise((0, *_ascending(sizes)))
    return tuple({dimension: Span(before + 1, size, size)} for before, size in bounds)


def profiles(model: onnx.ModelProto, rows: Span, buckets: Sequence[Bucket] = ({},)) -> tuple[Profile, ...]:
    """One profile for each bucket. The first dimension of every dynamic input is the batch, whatever its name is.

    A dimension without a name is called `<input>.<axis>` in a bucket. Raises ValueError for a dynamic dimension that a
    bucket does not say, for one that no input has, and for more than 16 buckets.
    """
    if not 1 <= len(buckets) <= _MOST:
        raise ValueError(f"a plan has 1 to {_MOST} profiles, not {len(buckets)}: give fewer buckets")
    inputs = _inputs(model)
    unknown = {name for bucket in buckets for name in bucket} - set(dynamic_dimensions(model))
    if unknown:
        raise ValueError(f"no input has a dynamic dimension {', '.join(sorted(unknown))}")
    return tuple(
        Profile({name: _shapes(dims, rows, bucket) for name, dims in inputs.items() if _dynamic(dims)})
        for bucket in buckets
    )


def dynamic_dimensions(model: onnx.ModelProto) -> tuple[str, ...]:
    """The names of the dimensions that vary, the batch left out, in the order of the inputs."""
    names = (dim for dims in _inputs(model).values() for dim in dims[1:] if isinstance(dim, str))
    return tuple(dict.fromkeys(names))


def _shapes(dims: tuple[int | str, ...], rows: Span, bucket: Bucket) -> tuple[Shape, Shape, Shape]:
    spans = [_span(dim, position, rows, bucket) for position, dim in enumerate(dims)]
    return (
        tuple(span.least for span in spans),
        tuple(span.best for span in spans),
        tuple(span.greatest for span in spans),
    )


def _span(dim: int | str, position: int, rows: Span, bucket: Bucket) -> Span:
    if isinstance(dim, int):
        return Span(dim, dim, dim)
    if position == 0:
        return rows
    if dim not in bucket:
        raise ValueError(f"the dimension {dim!r} varies: say in each bucket from where to where")
    return bucket[dim]


def _inputs(model: onnx.ModelProto) -> dict[str, tuple[int | str, ...]]:
    """The dimensions of each input that is not a constant; a name where one varies."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}.{axis}"
            for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        )
        for value in model.graph.input
        if value.name not in constants
    }


def _dynamic(dims: tuple[int | str, ...]) -> bool:
    return any(isinstance(dim, str) for dim in dims)


def _ascending(sizes: Sequence[int]) -> Sequence[int]:
    if not sizes or list(sizes) != sorted(set(sizes)):
        raise ValueError(f"bucket sizes have to grow: {list(sizes)}")
    return sizes
