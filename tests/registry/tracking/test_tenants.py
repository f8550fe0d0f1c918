"""On behalf of a tenant only that is there which MLflow has for it; what others have looks as if it were not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.tracking import SourceRefused, SourceUnknown, Tracking, fetch
from registry.tracking.library import tracking_client
from registry.tracking.locate import TENANT
from tests.registry.tracking.models import ONNX, Logged

_MINE, _THEIRS = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"

Tag = Callable[[Any, Logged, str], None]


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
        (_version, {"version", "alias"}),
        (_registered, {"version", "alias"}),
        (_logged, {"logged"}),
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


def test_the_nearest_tag_counts(tags: Any, store: Tracking, logged: dict[str, Logged], tmp_path: Path) -> None:
    tags(_run, _MINE)
    tags(_registered, _MINE)
    tags(_version, _THEIRS)
    assert _seen(store, logged[ONNX], _MINE, tmp_path) == {"logged", "run"}
    assert _seen(store, logged[ONNX], _THEIRS, tmp_path) == {"version", "alias"}


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
