"""On behalf of a tenant only that is there which MLflow has for it; what others have looks as if it were not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.ids import new_id
from registry.tracking import SourceRefused, SourceUnknown, Tracking, fetch
from registry.tracking.library import tracking_client
from registry.tracking.locate import TENANT, _lies_in
from tests.registry.tracking.models import ONNX, Logged, write_model

_MINE, _THEIRS = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"

Tag = Callable[[Any, Logged, str], None]
Trained = Callable[[str | None], tuple[str, str]]


def _version(client: Any, model: Logged, tenant: str) -> None:
    client.set_model_version_tag(ONNX, "1", TENANT, tenant)


def _registered(client: Any, model: Logged, tenant: str) -> None:
    client.set_registered_model_tag(ONNX, TENANT, tenant)


def _logged(client: Any, model: Logged, tenant: str) -> None:
    client.set_logged_model_tags(model.model_id, {TENANT: tenant})


def _run(client: Any, model: Logged, tenant: str) -> None:
    client.set_tag(model.run_id, TENANT, tenant)


@pytest.fixture
def tags(store: Tracking, logged: dict[str, Logged]) -> Any:
    """Put a tag somewhere; they are gone after the test."""
    model = logged[ONNX]

    def put(where: Tag, tenant: str) -> None:
        with tracking_client(store.uri) as client:
            where(client, model, tenant)

    yield put
    for where in (_version, _registered, _logged, _run):
        put(where, "nobody")  # MLflow cannot delete what is not there
    with tracking_client(store.uri) as client:
        client.delete_model_version_tag(ONNX, "1", TENANT)
        client.delete_registered_model_tag(ONNX, TENANT)
        client.delete_logged_model_tag(model.model_id, TENANT)
        client.delete_tag(model.run_id, TENANT)


def _seen(store: Tracking, model: Logged, tenant: str, directory: Path) -> set[str]:
    """The kinds of references that give the tenant the model: version, alias, logged, run."""
    seen = set()
    for kind, uri in zip(("version", "alias", "logged", "run"), model.references, strict=True):
        try:
            fetch(uri, store.uri, directory / f"{tenant}-{kind}", tenant=tenant)
        except SourceUnknown:
            continue
        seen.add(kind)
    return seen


@pytest.mark.parametrize(
    ("where", "gives"),
    [
        (_version, set()),
        (_registered, set()),
        (_logged, {"version", "alias", "logged"}),
        (_run, {"version", "alias", "logged", "run"}),
    ],
)
def test_a_tag_gives_a_model_to_its_tenant_alone(
    where: Tag, gives: set[str], tags: Any, store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    assert _seen(store, logged[ONNX], _MINE, tmp_path / "before") == set()
    tags(where, _MINE)
    (tmp_path / "after").mkdir()
    assert _seen(store, logged[ONNX], _MINE, tmp_path / "after") == gives
    assert _seen(store, logged[ONNX], _THEIRS, tmp_path / "after") == set()


@pytest.mark.parametrize(
    ("where", "leaves"),
    [
        (_version, {"logged", "run"}),
        (_registered, {"logged", "run"}),
        (_logged, set()),
        (_run, set()),
    ],
)
def test_a_tag_with_another_tenant_takes_the_model_away(
    where: Tag, leaves: set[str], tags: Any, store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    for mine in (_run, _logged, _registered, _version):
        tags(mine, _MINE)
    tags(where, _THEIRS)
    assert _seen(store, logged[ONNX], _MINE, tmp_path) == leaves
    assert _seen(store, logged[ONNX], _THEIRS, tmp_path) == set()


@pytest.fixture
def trained(store: Tracking, tmp_path: Path) -> Trained:
    """A run with a tenant's tag and a model among its artefacts, as MLflow 2 left it: its id, the model's address."""
    model = write_model(
        tmp_path / "logged", "flavors: {onnx: {data: model.onnx, code: null}}", {"model.onnx": b"graph"}
    )

    def run(tenant: str | None) -> tuple[str, str]:
        with tracking_client(store.uri) as client:
            found = client.get_experiment_by_name("theirs")
            root = (tmp_path.parent / "theirs").as_uri()
            experiment = found.experiment_id if found else client.create_experiment("theirs", artifact_location=root)
            run = client.create_run(experiment, tags={} if tenant is None else {TENANT: tenant})
            client.log_artifacts(run.info.run_id, str(model), "model")
        return run.info.run_id, f"{run.info.artifact_uri}/model"

    return run


def _registered_at(store: Tracking, address: str, run_id: str | None) -> str:
    """A model that is the tenant's by its tags, and whose version names this address and this run."""
    name = new_id().hex
    with tracking_client(store.uri) as client:
        client.create_registered_model(name, tags={TENANT: _MINE})
        client.create_model_version(name, address, run_id=run_id, tags={TENANT: _MINE})
    return f"models:/{name}/1"


@pytest.mark.parametrize("owner", [_THEIRS, None])
@pytest.mark.parametrize("named", ["its own run", "a run of the tenant's", "no run"])
def test_a_version_gives_nobody_the_files_of_anothers_run(
    owner: str | None, named: str, trained: Trained, store: Tracking, tmp_path: Path
) -> None:
    run_id, address = trained(owner)
    own, _ = trained(_MINE)
    uri = _registered_at(store, address, {"its own run": run_id, "a run of the tenant's": own, "no run": None}[named])
    with pytest.raises(SourceUnknown):
        fetch(uri, store.uri, tmp_path / "source", tenant=_MINE)
    assert fetch(uri, store.uri, tmp_path / "source").directory.exists(), "it is only the tenant's check that refuses"


@pytest.mark.parametrize("owner", [_THEIRS, None])
def test_a_version_gives_nobody_the_files_of_anothers_logged_model(
    owner: str | None, tags: Any, store: Tracking, logged: dict[str, Logged], trained: Trained, tmp_path: Path
) -> None:
    if owner is not None:
        tags(_logged, owner)
    own, _ = trained(_MINE)
    with tracking_client(store.uri) as client:
        address = client.get_logged_model(logged[ONNX].model_id).artifact_location
    with pytest.raises(SourceUnknown):
        fetch(_registered_at(store, address, own), store.uri, tmp_path / "source", tenant=_MINE)


def test_a_version_of_the_tenants_own_run_is_the_tenants(trained: Trained, store: Tracking, tmp_path: Path) -> None:
    run_id, address = trained(_MINE)
    uri = _registered_at(store, address, run_id)
    assert fetch(uri, store.uri, tmp_path / "source", tenant=_MINE).directory.exists()
    with pytest.raises(SourceUnknown):
        fetch(uri, store.uri, tmp_path / "other", tenant=_THEIRS)


@pytest.mark.parametrize(
    ("uri", "within"),
    [
        ("s3://bucket/1/run/artifacts", True),
        ("s3://bucket/1/run/artifacts/model", True),
        ("s3://bucket/1/run/artifacts2/model", False),
        ("s3://bucket/1/run", False),
        ("s3://bucket/1/run/artifacts/../../other/artifacts", False),
        ("s3://bucket/1/run/artifacts/%2e%2e/%2E./other", False),
        ("s3://bucket/1/run/artifacts/..\\other", False),
        ("s3://bucket/1/run/artifacts/?x", False),
    ],
)
def test_only_what_is_plainly_below_a_place_lies_in_it(uri: str, within: bool) -> None:
    assert _lies_in(uri, "s3://bucket/1/run/artifacts") is within
    assert _lies_in(uri, "s3://bucket/1/run/artifacts/") is within


def test_what_others_have_looks_as_what_nobody_has(
    tags: Any, store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    tags(_run, _THEIRS)
    model = logged[ONNX]
    whats = {
        "models:/onnx/1": "version 1 of a model 'onnx'",
        "models:/onnx/7": "version 7 of a model 'onnx'",
        "models:/onnx@best": "model 'onnx' with the alias 'best'",
        "models:/onnx@worst": "model 'onnx' with the alias 'worst'",
        f"models:/{model.model_id}": f"logged model {model.model_id}",
        "models:/m-0123456789": "logged model m-0123456789",
        f"runs:/{model.run_id}/onnx": f"run {model.run_id}",
        "runs:/0123456789/onnx": "run 0123456789",
    }
    remedies = set()
    for uri, what in whats.items():
        with pytest.raises(SourceUnknown) as caught:
            fetch(uri, store.uri, tmp_path / "source", tenant=_MINE)
        assert caught.value.message == f"The local MLflow store has no {what}."
        remedies.add(caught.value.remedy)
    [remedy] = remedies
    assert TENANT in remedy
    assert _MINE in remedy


def test_a_version_that_is_not_ready_is_not_told_to_a_stranger(store: Tracking, tmp_path: Path) -> None:
    with tracking_client(store.uri) as client:
        client.create_registered_model("pending")
        version = client.create_model_version("pending", "ftp://host/model").version
    with pytest.raises(SourceUnknown):
        fetch(f"models:/pending/{version}", store.uri, tmp_path / "source", tenant=_MINE)
    with pytest.raises(SourceRefused):
        fetch(f"models:/pending/{version}", store.uri, tmp_path / "source")
