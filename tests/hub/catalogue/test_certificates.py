"""The signed certificate of a version, as an owner gets it and as anybody verifies it."""

from __future__ import annotations

import psycopg

from registry.certificates.document import read_document
from registry.certificates.keys import load_or_create
from registry.certificates.signing import verify
from tests.hub.stack import Stack


def test_a_certificate_is_signed_by_this_conch_and_is_what_the_version_shows(stack: Stack) -> None:
    with stack.client(stack.demo_key) as client:
        answer = client.get("/v1/models/minilm/versions/1/certificate")
        version = client.get("/v1/models/minilm/versions/1").json()
    assert answer.status_code == 200
    document = read_document(answer.content)
    verified = verify(document, [load_or_create(stack.data / "signing-key.pem").public_key()])
    assert verified.trusted
    assert document.content["lineage"] == version["certificate"]["lineage"]
    assert document.content["accuracy"] == version["certificate"]["accuracy"]
    assert {"certificate/certificate.json", "certificate/certificate.html"} <= set(version["produced"])


def test_a_person_gets_a_page_that_runs_nothing(stack: Stack) -> None:
    with stack.client(stack.demo_key) as client:
        page = client.get("/v1/models/minilm/versions/1/certificate", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<svg" in page.text
    assert "<script" not in page.text


def test_who_prefers_json_gets_it_and_caches_are_told(stack: Stack) -> None:
    path = "/v1/models/minilm/versions/1/certificate"
    with stack.client(stack.demo_key) as client:
        for accept in ("*/*", "text/html;q=0", "text/html;q=0.5, application/json"):
            answer = client.get(path, headers={"accept": accept})
            assert (answer.headers["content-type"], answer.headers["vary"]) == ("application/json", "Accept")
        page = client.get(path, headers={"accept": "text/html"})
    assert page.headers["vary"] == "Accept"


async def test_a_version_from_before_certificates_were_signed_has_an_unsigned_one(
    stack: Stack, database: psycopg.AsyncConnection
) -> None:
    path = "/v1/models/tiny/versions/1"
    await database.execute("create temporary table kept as select * from version_files where role = 'certificate'")
    with stack.client(stack.demo_key) as client:
        version = client.get(path).json()
        await database.execute(
            "delete from version_files where role = 'certificate' and version_id = %s", (version["id"],)
        )
        try:
            answer = client.get(f"{path}/certificate")
            page = client.get(f"{path}/certificate", headers={"accept": "text/html"})
        finally:
            await database.execute("insert into version_files select * from kept on conflict do nothing")
    assert answer.status_code == 200
    assert answer.json()["signature"] is None
    document = read_document(answer.content)
    assert document.content["lineage"] == version["certificate"]["lineage"]
    assert "Not signed" in page.text


def test_what_is_not_there_is_not_found(stack: Stack) -> None:
    with stack.client(stack.demo_key) as client:
        assert client.get("/v1/models/minilm/versions/99/certificate").status_code == 404
        assert client.get("/v1/models/nothing/versions/1/certificate").status_code == 404
    with stack.client(stack.admin_key) as admin:
        stranger = stack.new_tenant(admin, "certificate-stranger")
    with stack.client(stranger) as client:
        assert client.get("/v1/models/minilm/versions/1/certificate").status_code == 404


def test_a_conversion_is_a_run_in_mlflow(stack: Stack) -> None:
    from registry.tracking import EXPERIMENT, tracking
    from registry.tracking.library import tracking_client

    with stack.client(stack.demo_key) as client:
        version = client.get("/v1/models/minilm/versions/1").json()
    with tracking_client(tracking(stack.data).uri) as mlflow:
        experiment = mlflow.get_experiment_by_name(EXPERIMENT)
        [run] = mlflow.search_runs([experiment.experiment_id], f"tags.`conch.conversion_id` = '{version['id']}'")
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FINISHED", "certified")
    assert run.data.params["task"] == "embedding"
    assert run.data.tags["conch.lineage.source"] == version["certificate"]["lineage"]["source"]


def test_a_budget_that_the_task_does_not_know_is_refused(stack: Stack) -> None:
    with stack.client(stack.demo_key) as client:
        version = client.get("/v1/models/minilm/versions/1").json()
        files = version["files"]
        answer = client.post("/v1/models/minilm/versions", json={"files": files, "budget": {"loudness": 1}})
        both = client.post("/v1/models/minilm/versions", json={"files": files, "source_uri": "models:/x/1"})
        neither = client.post("/v1/models/minilm/versions", json={})
    assert answer.status_code == 422
    assert answer.json()["error"]["metadata"]["reason"] == "unknown_criterion"
    assert "cosine" in answer.json()["error"]["metadata"]["remedy_hint"]
    assert (both.status_code, neither.status_code) == (422, 422)
