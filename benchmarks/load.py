"""Two load generators: wrk for HTTP, and Triton's own asyncio client for gRPC."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from benchmarks.measurement import Run
from benchmarks.processes import cpu_seconds

_SCRIPT = Path(__file__).with_name("inference.lua")


class LoadFailed(Exception):
    """A load generator is missing, or what it measured was not answers."""


def over_http(
    url: str,
    bodies: Sequence[str],
    headers: Mapping[str, str],
    concurrency: int,
    seconds: float,
    pids: Sequence[int],
) -> Run:
    """Post `bodies` in turn over `concurrency` connections with wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is not installed. Install it with: apt-get install wrk")
    with tempfile.TemporaryDirectory() as directory:
        body_file, header_file = Path(directory, "bodies"), Path(directory, "headers")
        body_file.write_text("\n".join(bodies) + "\n", encoding="utf-8")
        header_file.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()), encoding="utf-8")
        options = ["-t1", f"-c{concurrency}", f"-d{seconds:g}s", "--timeout", "60s", "-s", str(_SCRIPT)]
        command = [wrk, *options, url, "--", str(body_file), str(header_file)]
        before = cpu_seconds(pids)
        finished = subprocess.run(command, capture_output=True, text=True, check=True)
        used = cpu_seconds(pids) - before
    said = json.loads(finished.stdout.strip().splitlines()[-1])
    if said["errors"] or not said["requests"]:
        raise LoadFailed(f"{url}: {said['errors']} errors in {said['requests']} requests")
    return Run(
        rps=said["requests"] / said["seconds"],
        p50_ms=said["p50_ms"],
        p99_ms=said["p99_ms"],
        cpu_us=used / said["requests"] * 1e6,
        errors=said["errors"],
    )


def over_grpc(
    address: str, requests: Sequence[pb.ModelInferRequest], concurrency: int, seconds: float, pids: Sequence[int]
) -> Run:
    """Send `requests` in turn, `concurrency` at a time, over one channel, as `tritonclient.grpc.aio` does."""
    return asyncio.run(_over_grpc(address, requests, concurrency, seconds, pids))


async def _over_grpc(
    address: str, requests: Sequence[pb.ModelInferRequest], concurrency: int, seconds: float, pids: Sequence[int]
) -> Run:
    latencies: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        await stub.ModelInfer(requests[0])
        before, started = cpu_seconds(pids), time.perf_counter()
        end = started + seconds

        async def client(number: int) -> None:
            position = number * len(requests) // concurrency
            while (begun := time.perf_counter()) < end:
                await stub.ModelInfer(requests[position % len(requests)])
                latencies.append(time.perf_counter() - begun)
                position += 1

        await asyncio.gather(*(client(number) for number in range(concurrency)))
        took, used = time.perf_counter() - started, cpu_seconds(pids) - before
    percentiles = statistics.quantiles(latencies, n=100)
    return Run(
        rps=len(latencies) / took,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=percentiles[98] * 1000,
        cpu_us=used / len(latencies) * 1e6,
        errors=0,
    )
