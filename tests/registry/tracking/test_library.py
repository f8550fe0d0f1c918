"""MLflow is imported late, reports to nobody, and what goes wrong with it is said in a sentence."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from registry.tracking import (
    Tracking,
    TrackingFailed,
    TrackingMissing,
    TrackingUnreachable,
    fetch,
    is_reference,
    record,
    tracking,
)
from tests.registry.tracking.records import conversion

_QUIET = """
import socket, sys
from pathlib import Path
from registry.tracking import SourceUnknown, fetch, tracking
assert "mlflow" not in sys.modules

def refuse(*_):
    raise AssertionError("something wants to talk to somebody")

socket.socket.connect = socket.getaddrinfo = refuse
data = Path(sys.argv[1])
try:
    fetch("models:/nobody/1", tracking(data).uri, data / "source")
except SourceUnknown as error:
    print(error.message)
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is None
"""


def test_mlflow_is_imported_late_and_reports_to_nobody(own_store: Tracking, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert own_store == tracking(tmp_path / "data")
    # Not the variables by which MLflow would know a test or CI, and keep quiet by itself.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", _QUIET, str(tmp_path / "data")],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "The local MLflow store has no version 1 of a model 'nobody'.\n"
    assert list(home.rglob("*")) == []
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"mlflow"}


def test_the_embedded_store_is_for_its_owner_and_stays_where_it_is(tmp_path: Path) -> None:
    embedded = tracking(Path("../data"))
    assert embedded == tracking(tmp_path / "data")
    assert embedded == tracking(tmp_path / "elsewhere", embedded.uri)
    assert (tmp_path / "data" / "mlflow").stat().st_mode & 0o777 == 0o700
    assert tracking(tmp_path, "http://host:5000").uri == "http://host:5000"


def test_only_addresses_in_mlflow_are_references() -> None:
    assert all(map(is_reference, ["models:/a/1", "runs:/1/a", "models:/m-1"]))
    assert not any(map(is_reference, ["a/models", "/models:/a", "model.onnx", "s3://models/a"]))


def test_a_server_that_is_not_there_is_reported_within_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    uri = f"http://user:secret@127.0.0.1:{port}"
    started = time.monotonic()
    with pytest.raises(TrackingUnreachable) as fetching:
        fetch("models:/onnx/1", uri, tmp_path / "source")
    assert time.monotonic() - started < 20
    assert fetching.value.message == f"The MLflow server at 127.0.0.1:{port} does not answer."
    with pytest.raises(TrackingUnreachable):
        record(conversion("nowhere"), Tracking(uri, tmp_path))


class _SomethingElse(http.server.BaseHTTPRequestHandler):
    status = 404

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"<html>Not here.</html>")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.mark.parametrize("status", [200, 404, 401])
def test_a_server_that_is_something_else_is_no_model_that_is_missing(status: int, tmp_path: Path) -> None:
    handler = type("Handler", (_SomethingElse,), {"status": status})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(TrackingFailed) as caught:
                fetch("models:/onnx/1", f"http://127.0.0.1:{server.server_port}", tmp_path / "source")
        finally:
            server.shutdown()
            thread.join()
    assert "MLFLOW_TRACKING" in caught.value.remedy


def test_a_database_that_is_none_does_not_answer(tmp_path: Path) -> None:
    damaged = tracking(tmp_path / "data")
    (tmp_path / "data" / "mlflow" / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(TrackingUnreachable, match="The local MLflow store does not answer"):
        fetch("models:/onnx/1", damaged.uri, tmp_path / "source")


def test_without_mlflow_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.telemetry", None)
    with pytest.raises(TrackingMissing, match="conch\\[mlflow\\]"):
        fetch("models:/onnx/1", tracking(tmp_path / "data").uri, tmp_path / "source")
