"""Rows of waiting requests share a call to Triton; a bad row fails alone.

One gRPC call costs the hub more than everything else it does for a request. So at most a few calls per version are
under way, and what arrives meanwhile goes out together with the next: no timer, an idle hub sends at once. Large
requests are sent in slices, in turn with everybody else's, so that nobody waits behind them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hub.errors import Unavailable, Unprocessable
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes
from hub.inference.triton_call import infer_batch
from hub.serving.pool import TritonPool

_CALLS_AT_ONCE = 2
"""Calls of one version under way: Triton has the next batch when it ends one, and batches fill while it works."""

_WAITING_ROWS = 16_384
"""Rows of one version that may wait, eight of the largest requests: beyond it refusing is kinder than waiting."""

_SLICE_ROWS = 32
"""Rows of one request in one batch: a request of 2,048 texts lets others in between."""


@dataclass(eq=False)
class _Request:
    rows: Sequence[Row]
    deadline: float
    future: asyncio.Future[Answer]
    sent: int = 0
    outstanding: int = 0
    seconds: float = 0.0
    answers: list[Row | None] = field(default_factory=list)
    usage: list[Sequence[int] | None] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.rows) - self.sent


@dataclass(frozen=True)
class _Slice:
    request: _Request
    start: int
    count: int

    @property
    def rows(self) -> Sequence[Row]:
        return self.request.rows[self.start : self.start + self.count]


class _Lane:
    """The waiting requests of one version whose rows have the same shapes; `on_idle` is called when none is left."""

    def __init__(self, pool: TritonPool, target: Target, shapes: RowShapes, on_idle: Callable[[], object]) -> None:
        self._pool = pool
        self._on_idle = on_idle
        self._target = target
        self._shapes = shapes
        self._waiting: deque[_Request] = deque()
        self._rows = 0
        self._calls: set[asyncio.Task[None]] = set()

    def add(self, request: _Request) -> None:
        if self._rows + request.left > _WAITING_ROWS:
            raise Unavailable("Too many calls of this model are waiting.", reason="queue_full", retry_after=1)
        self._rows += request.left
        self._waiting.append(request)
        self._send()

    def _send(self) -> None:
        while self._waiting and len(self._calls) < _CALLS_AT_ONCE:
            slices = self._next_batch()
            if slices:
                task = asyncio.create_task(self._call(slices))
                self._calls.add(task)
                task.add_done_callback(self._called)

    def _called(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._send()
        if not self._waiting and not self._calls:
            self._on_idle()
        task.result()

    def _next_batch(self) -> list[_Slice]:
        room, slices = self._target.max_batch, []
        for _ in range(len(self._waiting)):
            if not room:
                break
            request = self._waiting.popleft()
            if request.future.done():  # failed, or its caller has gone away: the rest of its rows is not worth running
                self._rows -= request.left
                continue
            count = min(request.left, room, _SLICE_ROWS)
            slices.append(_Slice(request, request.sent, count))
            request.sent += count
            request.outstanding += count
            self._rows -= count
            room -= count
            if request.left:
                self._waiting.append(request)
        return slices

    async def _call(self, slices: Sequence[_Slice]) -> None:
        seconds = max(piece.request.deadline for piece in slices) - asyncio.get_running_loop().time()
        rows = [row for piece in slices for row in piece.rows]
        try:
            answer = await infer_batch(self._pool, self._target, self._shapes, rows, max(seconds, 0.001))
        except Unprocessable as refused:
            if len(slices) == 1:
                _fail(slices[0].request, refused)
            else:  # somebody's row is bad: ask for each request's rows alone
                await asyncio.gather(*(self._call([piece]) for piece in slices))
        except Exception as error:  # also a fault of ours, or of the model's output: nobody may wait for ever
            for piece in slices:
                _fail(piece.request, error)
        else:
            _deliver(slices, answer)


class Coalescer:
    """All lanes."""

    def __init__(self, pool: TritonPool) -> None:
        self._pool = pool
        self._lanes: dict[tuple[str, RowShapes], _Lane] = {}

    async def infer(self, target: Target, shapes: RowShapes, rows: Sequence[Row], seconds: float) -> Answer:
        """Run all `rows` of one request and answer them in order.

        Raises `Unprocessable` where the model refuses one of them and `Unavailable` where it does not answer in
        `seconds`.
        """
        loop = asyncio.get_running_loop()
        request = _Request(rows, loop.time() + seconds, loop.create_future())
        request.answers = [None] * len(rows)
        request.usage = [None] * len(rows)
        key = (target.serving_name, shapes)
        lane = self._lanes.get(key)
        if lane is None:
            # Shapes are the callers' choice: a lane that is done with is dropped, or they would pile up.
            lane = self._lanes[key] = _Lane(self._pool, target, shapes, lambda: self._lanes.pop(key))
        lane.add(request)
        return await request.future


def _deliver(slices: Sequence[_Slice], answer: Answer) -> None:
    position = 0
    for piece in slices:
        request, end = piece.request, position + piece.count
        request.answers[piece.start : piece.start + piece.count] = answer.rows[position:end]
        request.usage[piece.start : piece.start + piece.count] = answer.usage[position:end]
        request.outstanding -= piece.count
        request.seconds = max(request.seconds, answer.seconds)
        position = end
        if not request.left and not request.outstanding and not request.future.done():
            rows = [row for row in request.answers if row is not None]
            usage = [counts for counts in request.usage if counts is not None]
            request.future.set_result(Answer(rows, answer.shapes, usage, request.seconds))


def _fail(request: _Request, error: Exception) -> None:
    if not request.future.done():
        request.future.set_exception(error)
