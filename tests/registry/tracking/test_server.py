"""The same, with a real MLflow server in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from converters.sources.detect import inspect
from registry.tracking import EXPERIMENT, SourceRefused, SourceUnknown, Tracking, fetch, record
from registry.tracking.library import tracking_client
from tests.registry.tracking.conftest import copied
from tests.registry.tracking.models import ONNX, PYTORCH, TRANSFORMERS, log_models
from tests.registry.tracking.records import conversion
from tests.registry.tracking.server import mlflow_server


@pytest.fixture(scope="module")
def backend(pristine: bytes, tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return copied(pristine, tmp_path_factory.mktemp("backend"))


@pytest.fixture(scope="module")
def address(backend: Tracking, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(backend, tmp_path_factory.mktemp("server")) as running:
        yield running


def test_every_flavour_is_fetched_by_version_alias_run_and_id(address: str, tmp_path: Path) -> None:
    logged = log_models(address)
    for flavour in (ONNX, TRANSFORMERS, PYTORCH):
        fetched = [
            fetch(uri, address, tmp_path / f"{flavour}-{index}") for index, uri in enumerate(logged[flavour].references)
        ]
        assert [source.resolved for source in fetched] == list(logged[flavour].references.values())
        assert {source.flavour for source in fetched} == {flavour}
        assert len({source.source_sha256 for source in fetched}) == 1
    assert inspect(tmp_path / "onnx-0", "tensor").parameters == 64 * 64
    assert inspect(tmp_path / "transformers-0", "embedding").architecture == "bert"
    assert [path.name for path in (tmp_path / "pytorch-0").iterdir()] == ["model.pth"]


@pytest.mark.parametrize("uri", ["models:/nobody/1", "models:/nobody@best", "models:/m-0", "runs:/0123/model"])
def test_what_the_server_does_not_have_is_said(uri: str, address: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnknown, match="MLflow server"):
        fetch(uri, address, tmp_path / "source")


def test_a_server_cannot_have_us_read_our_own_disk(address: str, backend: Tracking, tmp_path: Path) -> None:
    with tracking_client(backend.uri) as client:  # behind the server's back, which would not let it in
        client.create_registered_model("ours")
        client.create_model_version("ours", "/etc")
    with pytest.raises(SourceRefused, match="not where Conch reads from"):
        fetch("models:/ours/1", address, tmp_path / "source")


def test_a_conversion_is_one_run_on_the_server_with_its_artefacts(
    address: str, backend: Tracking, tmp_path: Path
) -> None:
    here = Tracking(address, tmp_path / "unused")
    run_id = record(conversion("remote"), here)
    assert record(conversion("remote"), here) == run_id
    with tracking_client(address) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        [run] = client.search_runs([experiment])
        kept = Path(client.download_artifacts(run_id, "certificate.json", str(tmp_path)))
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FINISHED", "certified")
    assert kept.read_bytes() == b'{"signature": "s"}'
    assert not here.artefacts.exists()
    assert not backend.artefacts.exists()
