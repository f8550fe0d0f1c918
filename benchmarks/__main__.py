"""`make bench`: the hub against bare Triton, interleaved, as ratios of medians with intervals."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import load, requests
from benchmarks.measurement import Estimate, Run, estimate
from benchmarks.models import convert_float, sample_directory, write_tiny
from benchmarks.processes import resident_bytes
from benchmarks.servers import Bare, Hub, bare_triton, conch

_RESULTS = Path(__file__).with_name("results")
_CONCURRENCY = (1, 8, 32)
_MEBIBYTE = 1024**2

Contender = Callable[[int, float], Run]


@dataclass(frozen=True)
class Row:
    """One workload at one concurrency: the runs of each contender, pair by pair."""

    workload: str
    concurrency: int
    runs: Mapping[str, list[Run]]

    def median(self, contender: str, field: str) -> float:
        """The median of a figure over the pairs."""
        return estimate([getattr(run, field) for run in self.runs[contender]]).value

    def ratio(self, contender: str, base: str, field: str = "rps") -> Estimate:
        """Contender over base, pair by pair."""
        pairs = zip(self.runs[contender], self.runs[base], strict=True)
        return estimate([getattr(mine, field) / getattr(theirs, field) for mine, theirs in pairs])

    def added_ms(self, contender: str, base: str) -> Estimate:
        """How much later the median answer of the contender comes, pair by pair."""
        pairs = zip(self.runs[contender], self.runs[base], strict=True)
        return estimate([mine.p50_ms - theirs.p50_ms for mine, theirs in pairs])


def main() -> None:
    """Parse the arguments, run everything, print the table and keep the numbers."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds of one run")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each contender, interleaved")
    parser.add_argument("--workload", choices=("tiny", "embedding"), action="append", help="only this one")
    parser.add_argument("--concurrency", type=int, action="append", help="only this one")
    arguments = parser.parse_args()
    _RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="conch-bench-") as scratch:
        work = Path(scratch)
        write_tiny(work / "tiny")
        models = {
            "tiny": convert_float(work / "tiny", "tensor", work / "tiny-float"),
            "minilm": convert_float(sample_directory(), "embedding", work / "minilm-float"),
        }
        with conch(_RESULTS / "data", work / "tiny") as hub, bare_triton(work / "bare", models) as bare:
            rows = list(_rows(hub, bare, arguments))
            memory = resident_bytes(hub.pids["hub"]) / _MEBIBYTE
    _print(rows, memory)
    _keep(rows, memory, arguments)


def _rows(hub: Hub, bare: Bare, arguments: argparse.Namespace) -> Iterator[Row]:
    for workload in arguments.workload or ("tiny", "embedding"):
        contenders = _tiny(hub, bare) if workload == "tiny" else _embedding(hub, bare)
        for concurrency in arguments.concurrency or _CONCURRENCY:
            for contender in contenders.values():  # warm: caches, branch predictors, allocators
                contender(concurrency, 1.0)
            runs: dict[str, list[Run]] = {name: [] for name in contenders}
            for _ in range(arguments.pairs):
                for name, contender in contenders.items():
                    runs[name].append(contender(concurrency, arguments.seconds))
            print(f"{workload}, concurrency {concurrency}: done", flush=True)
            yield Row(workload, concurrency, runs)


def _tiny(hub: Hub, bare: Bare) -> dict[str, Contender]:
    return {
        "hub": _hub(hub, "/v1/infer", requests.tiny_hub()),
        "bare HTTP": _http(bare, "tiny", requests.tiny_http()),
        "bare gRPC": lambda c, s: load.over_grpc(bare.grpc_address, requests.tiny_grpc(), c, s, [bare.pid]),
    }


def _embedding(hub: Hub, bare: Bare) -> dict[str, Contender]:
    return {
        "hub": _hub(hub, "/v1/embeddings", requests.embedding_hub()),
        "bare HTTP": _http(bare, "minilm", requests.embedding_http()),
        "bare gRPC": lambda c, s: load.over_grpc(bare.grpc_address, requests.embedding_grpc(), c, s, [bare.pid]),
    }


def _hub(hub: Hub, path: str, bodies: list[str]) -> Contender:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {hub.key}"}
    pids = list(hub.pids.values())
    return lambda c, s: load.over_http(f"{hub.url}{path}", bodies, headers, c, s, pids)


def _http(bare: Bare, model: str, bodies: list[str]) -> Contender:
    url = f"{bare.http_url}/v2/models/{model}/infer"
    return lambda c, s: load.over_http(url, bodies, {"Content-Type": "application/json"}, c, s, [bare.pid])


def _print(rows: list[Row], memory: float) -> None:
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores; load generators on the same cores")
    figures = "".join(f"{name:>9}" for name in ("rps", "p50 ms", "p99 ms", "CPU µs"))
    print(f"{'':24}{'contender':11}{figures}   {'hub / it, rps':22}hub − it, p50 ms")
    for row in rows:
        for name in row.runs:
            label = f"{row.workload}, concurrency {row.concurrency}" if name == "hub" else ""
            figures = "".join(f"{row.median(name, field):9.1f}" for field in ("rps", "p50_ms", "p99_ms", "cpu_us"))
            versus = "" if name == "hub" else f"   {row.ratio('hub', name)!s:22}{row.added_ms('hub', name)}"
            print(f"{label:24}{name:11}{figures}{versus}")
    print(f"hub process: {memory:.0f} MiB resident")


def _keep(rows: list[Row], memory: float, arguments: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    content = {
        "at": now.isoformat(),
        "seconds": arguments.seconds,
        "hub_resident_mib": memory,
        "rows": [
            {
                "workload": row.workload,
                "concurrency": row.concurrency,
                "runs": {name: [asdict(run) for run in runs] for name, runs in row.runs.items()},
            }
            for row in rows
        ],
    }
    target = _RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    target.write_text(json.dumps(content, indent=1), encoding="utf-8")
    print(f"kept in {target}")


if __name__ == "__main__":
    main()
