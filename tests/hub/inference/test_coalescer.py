"""What the coalescer keeps: nothing, once nobody waits."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from hub.errors import Unavailable
from hub.inference.coalescer import Coalescer
from hub.inference.resolver import Target
from hub.inference.rows import RowShapes
from hub.serving.pool import TritonPool
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.tasks import TASKS

_X = TensorSpec("x", DataType.FP32, (-1,))
_TARGET = Target(
    model="any",
    model_id=uuid4(),
    version_id=uuid4(),
    number=1,
    task=TASKS["tensor"],
    serving_name="nowhere",
    signature=Signature((_X,), (_X,)),
    max_batch=8,
    prices={},
    price_ids=(),
)


async def test_shapes_of_callers_do_not_pile_up() -> None:
    coalescer = Coalescer(TritonPool((), None))  # no server: every call ends, and none with an answer
    for width in range(50):
        with pytest.raises(Unavailable):
            await coalescer.infer(_TARGET, RowShapes(((width,),)), [(b"\0" * 4 * width,)], 1.0)
    await asyncio.sleep(0)
    assert not coalescer._lanes


async def test_every_request_of_a_burst_ends() -> None:
    coalescer = Coalescer(TritonPool((), None))
    calls = [coalescer.infer(_TARGET, RowShapes(((1,),)), [(b"\0\0\0\0",)] * 20, 1.0) for _ in range(100)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    await asyncio.sleep(0)
    assert not coalescer._lanes
