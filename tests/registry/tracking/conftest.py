"""A real MLflow store in a directory, with a model of each flavour in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.tracking import Tracking, tracking
from registry.tracking.library import tracking_client
from tests.registry.tracking.models import Logged, log_models


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A new database of MLflow's; it takes seconds to make, so that the others are copies."""
    new = tracking(tmp_path_factory.mktemp("pristine"))
    with tracking_client(new.uri) as client:
        client.search_experiments()
    return (new.artefacts.parent / "mlflow.db").read_bytes()


def copied(pristine: bytes, data: Path) -> Tracking:
    """An embedded store below `data` with nothing in it yet."""
    new = tracking(data)
    (new.artefacts.parent / "mlflow.db").write_bytes(pristine)
    return new


@pytest.fixture(scope="session")
def store(pristine: bytes, tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """The embedded store that most tests share."""
    return copied(pristine, tmp_path_factory.mktemp("data"))


@pytest.fixture
def own_store(pristine: bytes, tmp_path: Path) -> Tracking:
    """An embedded store of the test's own, below `data`."""
    return copied(pristine, tmp_path / "data")


@pytest.fixture(scope="session")
def logged(store: Tracking) -> dict[str, Logged]:
    """The models in the embedded store, by flavour."""
    with tracking_client(store.uri) as client:
        client.create_experiment("training", artifact_location=store.artefacts.as_uri())
    return log_models(store.uri)


@pytest.fixture(autouse=True)
def nothing_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow likes to leave `mlruns/` and `mlflow.db` wherever the process is: not when we call it."""
    somewhere = tmp_path / "current"
    somewhere.mkdir()
    monkeypatch.chdir(somewhere)
    yield
    assert list(somewhere.iterdir()) == []
