"""What a worker does with conversions that break: it ends the job, says why, clears up and goes on."""

from __future__ import annotations

import asyncio
import errno
import math
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from converters.errors import ConversionFailed
from converters.invocation import LOG
from converters.report import ConversionReport
from converters.request import ConversionRequest
from hub.conversion import conversion
from hub.conversion.conversion import Conversion
from hub.conversion.papers import Papers
from hub.conversion.sources import Sources
from hub.conversion.tracking_process import TrackingProcess
from hub.conversion.worker import Worker
from hub.jobs import queue
from hub.jobs.models import Job, JobState
from hub.settings import JobSettings, StoreSettings
from registry.database import Database
from registry.ids import new_id
from registry.spec.certificate import Certificate
from registry.store import LocalStore
from registry.tables import VersionState
from registry.tracking import SourceUnknown, Tracking, TrackingUnreachable
from registry.tracking.library import tracking_client
from tests.hub.conversion.conftest import HandIn, load, runs
from tests.registry.certificates.given import CERTIFICATE
from tests.registry.tracking.records import conversion as conversion_record

_START_SECONDS = 60  # a process imports mlflow in 3 s where nothing else runs
_SIGNATURE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [4]}], "outputs": []}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


@pytest.fixture
async def worker(
    database: Database, store: LocalStore, tracking_process: TrackingProcess, work: Path, tmp_path: Path
) -> AsyncIterator[Worker]:
    yield _worker(database, store, tracking_process, work, tmp_path)
    async with database.write() as session:  # no job waits for the next test
        while job := await queue.claim(session, new_id(), 60):
            assert job.worker is not None
            await queue.finish(session, job.id, job.worker, JobState.FAILED, "failed")


def _worker(
    database: Database, store: LocalStore, tracking_process: TrackingProcess, work: Path, tmp_path: Path
) -> Worker:
    jobs = JobSettings(signing_key=tmp_path / "key.pem")
    conversion = Conversion(
        database,
        store,
        None,  # type: ignore[arg-type]  # nothing is published here
        Sources(database, store, tracking_process, shared=True, allow_pickle=False),
        Papers(Ed25519PrivateKey.generate(), tracking_process),
        StoreSettings(artefact_store=tmp_path / "store", work_directory=work),
        jobs,
        allow_pickle=False,
    )
    return Worker(database, conversion, jobs)


def _converts_to(monkeypatch: pytest.MonkeyPatch, outcome: ConversionReport | Exception) -> None:
    """Every conversion leaves a log and findings, and ends like this."""

    async def convert(request: ConversionRequest, output: Path, limits: Any, report: Any, cache: Path) -> Any:
        cache.mkdir()
        output.mkdir()
        (output / LOG).write_text("the child's last words")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(conversion, "convert", convert)


def _report(certificate: Certificate = CERTIFICATE, **changes: Any) -> ConversionReport:
    report = ConversionReport(
        certificate=CERTIFICATE,
        signature=_SIGNATURE,
        max_batch=8,
        model_directory=Path("/nowhere"),
        canonical=[],
        probe=None,
        isolation=[],
        seconds=1,
        peak_memory_bytes=1,
    )
    return report.model_copy(update={"certificate": certificate, **changes})


async def _until_ended(worker: Worker, database: Database, *job_ids: UUID) -> list[Job]:
    """The jobs once they have ended, all of them by the same worker."""
    running = asyncio.create_task(worker.run())
    try:
        while True:
            async with database.read() as session:
                jobs = [await session.get_one(Job, job_id) for job_id in job_ids]
            if all(job.state.is_final for job in jobs):
                return jobs
            assert not running.done(), running.exception()
            await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (_report(CERTIFICATE.model_copy(update={"seconds": math.nan})), "certificate cannot be signed"),
        (_report(CERTIFICATE.model_copy(update={"peak_memory_bytes": 2**60})), "certificate cannot be signed"),
        (_report(CERTIFICATE.model_copy(update={"reason": "\ud800"})), "certificate cannot be signed"),
        (_report(signature={"inputs": "x"}), "a signature that is not one"),
        (ConversionFailed("It broke on \0 and \ud800.", "Do\nsomething."), "It broke on"),
    ],
    ids=["no number", "too large", "surrogate", "signature", "words"],
)
async def test_what_a_child_says_never_ends_the_worker(
    outcome: ConversionReport | Exception,
    message: str,
    worker: Worker,
    database: Database,
    mlflow: Tracking,
    work: Path,
    hand_in: HandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _converts_to(monkeypatch, outcome)
    first, second = await hand_in(), await hand_in()
    for job in await _until_ended(worker, database, first.job_id, second.job_id):
        assert (job.state, job.attempts) == (JobState.FAILED, 1)
        assert job.failure is not None
        assert message in job.failure["message"]
        assert job.failure["remedy"]
    version = await load(database, first.version_id)
    assert (version.state, version.certificate) == (VersionState.FAILED, None)
    assert list(work.iterdir()) == [], "nothing is kept for an attempt that nobody makes"


async def test_a_conversion_that_broke_is_a_failed_run(
    worker: Worker,
    database: Database,
    mlflow: Tracking,
    hand_in: HandIn,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    _converts_to(monkeypatch, ConversionFailed("It broke.", "Mend it."))
    given = await hand_in()
    await _until_ended(worker, database, given.job_id)
    [run] = runs(mlflow, given.version_id)
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FAILED", "failed")
    assert run.data.tags["mlflow.note.content"] == "It broke."
    assert run.data.tags["conch.source_uri"].startswith("sha256:")
    with tracking_client(mlflow.uri) as client:
        kept = Path(client.download_artifacts(run.info.run_id, f"logs/{LOG}", str(tmp_path)))
    assert kept.read_text() == "the child's last words"


async def test_a_conversion_that_broke_its_workers_is_cleared_up_and_recorded(
    worker: Worker, database: Database, mlflow: Tracking, work: Path, hand_in: HandIn
) -> None:
    given = await hand_in()
    for _ in range(3):
        async with database.write() as session:
            await queue.claim(session, new_id(), -1)
    (work / f"{given.serving_name}.cache").mkdir()
    [job] = await _until_ended(worker, database, given.job_id)
    assert job.failure is not None
    assert "broke its worker" in job.failure["message"]
    assert list(work.iterdir()) == []
    [run] = runs(mlflow, given.version_id)
    assert run.info.status == "FAILED"


async def test_findings_of_nobodys_conversion_are_removed_at_the_start(
    worker: Worker, database: Database, work: Path, hand_in: HandIn
) -> None:
    queued, ended = await hand_in(), await hand_in()
    async with database.write() as session:
        for given in (queued, ended):
            job = await queue.claim(session, new_id(), 60)
            assert job is not None
            assert job.worker is not None
            if given is ended:
                await queue.finish(session, ended.job_id, job.worker, JobState.FAILED, "failed")
    kept = work / f"{queued.serving_name}.cache"
    for path in (kept, work / f"{ended.serving_name}.cache", work / "v0123.cache"):
        path.mkdir()
        (path / "journal").touch()
    running = asyncio.create_task(worker.run())
    deadline = time.monotonic() + 10
    while len(list(work.iterdir())) > 1 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])
    assert list(work.iterdir()) == [kept]


async def test_a_worker_that_lost_its_job_leaves_run_and_findings_to_the_other(
    worker: Worker,
    database: Database,
    mlflow: Tracking,
    work: Path,
    hand_in: HandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = await hand_in()
    other = new_id()

    async def convert(request: ConversionRequest, output: Path, limits: Any, report: Any, cache: Path) -> Any:
        """While it runs, the lease ends and another worker claims the job; and then it breaks."""
        cache.mkdir()
        output.mkdir()
        async with database.write() as session:
            job = await session.get_one(Job, given.job_id)
            job.worker = other
        raise ConversionFailed("It broke.", "Mend it.")

    monkeypatch.setattr(conversion, "convert", convert)
    await worker._work(await _claimed(worker))
    assert [path.name for path in work.iterdir()] == [f"{given.serving_name}.cache"]
    assert runs(mlflow, given.version_id) == []
    async with database.write() as session:
        job = await session.get_one(Job, given.job_id)
        assert (job.state, job.worker) == (JobState.RUNNING, other)
        await queue.finish(session, job.id, other, JobState.FAILED, "failed")
    assert (await load(database, given.version_id)).state is VersionState.CONVERTING


async def _claimed(worker: Worker) -> Job:
    job = await worker._claim()
    assert job is not None
    return job


async def test_what_a_child_shut_neither_ends_the_worker_nor_stays(
    worker: Worker, database: Database, work: Path, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def convert(request: ConversionRequest, output: Path, limits: Any, report: Any, cache: Path) -> Any:
        for directory in (output / "made", cache):
            (directory / "shut").mkdir(parents=True)
            (directory / "shut" / "file").touch()
            (directory / "shut").chmod(0)
        raise ConversionFailed("It broke.", "Mend it.")

    def refused_once(path: Path) -> None:
        """As the system refuses who is not root."""
        if (path / "shut").exists() or (path / "output").exists():
            monkeypatch.setattr(shutil, "rmtree", real)
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        real(path)

    real = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", refused_once)
    monkeypatch.setattr(conversion, "convert", convert)
    given = await hand_in()
    [job] = await _until_ended(worker, database, given.job_id)
    assert job.failure == {"message": "It broke.", "remedy": "Mend it."}
    assert list(work.iterdir()) == []


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def _address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


async def _asked(server: socket.socket) -> socket.socket:
    """The connection of whoever asks first; while it is open, they wait for an answer."""
    server.setblocking(False)
    connection, _ = await asyncio.get_running_loop().sock_accept(server)
    return connection


async def test_a_worker_that_is_stopped_amid_a_fetch_leaves_nothing_that_goes_on(
    silent: socket.socket, database: Database, store: LocalStore, work: Path, hand_in: HandIn, tmp_path: Path
) -> None:
    process = TrackingProcess(Tracking(_address(silent), tmp_path), fetch_seconds=120)
    worker = _worker(database, store, process, work, tmp_path)
    given = await hand_in("models:/stuck/1")
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(_START_SECONDS):
        connection = await _asked(silent)
    child = process._process
    assert child is not None
    with connection:
        running.cancel()
        await asyncio.wait([running])
    assert child.exitcode in (128 + signal.SIGTERM, -signal.SIGKILL), "it was ended, and did not come to its end"
    assert list(work.iterdir()) == []
    async with database.write() as session:
        job = await session.get_one(Job, given.job_id)
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        again = await queue.claim(session, new_id(), 60)
        assert again is not None
        assert again.worker is not None
        await queue.finish(session, again.id, again.worker, JobState.FAILED, "failed")


async def test_a_process_that_died_while_idle_is_replaced(
    tracking_process: TrackingProcess, mlflow: Tracking, tmp_path: Path
) -> None:
    """The kernel's OOM killer looks for what is large and does nothing."""
    with pytest.raises(SourceUnknown):
        await tracking_process.fetch("models:/nobody/1", tmp_path / "source", None)
    first = tracking_process._process
    assert first is not None
    first.kill()
    first.join()
    with pytest.raises(SourceUnknown):
        await tracking_process.fetch("models:/nobody/1", tmp_path / "source", None)


async def test_a_run_that_takes_too_long_names_no_setting_of_fetches(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hub.conversion.tracking_process.RECORD_SECONDS", 1.0)
    process = TrackingProcess(Tracking(_address(silent), tmp_path), fetch_seconds=120)
    with pytest.raises(TrackingUnreachable, match="longer than the 1 s") as caught:
        await process.record(conversion_record("stuck"))
    assert "CONCH_CONVERSION_SECONDS" not in caught.value.remedy
    assert process._process is None


async def test_a_fetch_has_an_end(silent: socket.socket, tmp_path: Path) -> None:
    process = TrackingProcess(Tracking(_address(silent), tmp_path), fetch_seconds=1)
    with pytest.raises(TrackingUnreachable, match="longer than the 1 s") as caught:
        await process.fetch("models:/stuck/1", tmp_path / "source", None)
    assert "CONCH_CONVERSION_SECONDS" in caught.value.remedy
    assert process._process is None
    assert not (tmp_path / "source").exists()
