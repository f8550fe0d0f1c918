"""What stays of a conversion: the files it made, its log, and the script that repeats it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx

from hub.client import Conch
from tests.hub.stack import Stack


def test_what_a_conversion_made_can_be_downloaded(stack: Stack, tmp_path: Path) -> None:
    with Conch(stack.url, stack.demo_key) as client:
        produced = client.version("minilm", 1)["produced"]
        for name, sha256 in produced.items():
            target = tmp_path / name.replace("/", "-")
            client.download(sha256, target)
            assert hashlib.sha256(target.read_bytes()).hexdigest() == sha256
    assert {"canonical/model.onnx", "served/runtime.json", "probe/probe.json"} <= set(produced)
    assert {"served/model.onnx", "served/model.openvino.onnx"} & set(produced)  # whichever engine is quicker here
    assert {"certificate/certificate.json", "certificate/certificate.html"} <= set(produced)
    assert {"conversion/conversion.log", "conversion/request.json", "conversion/reproduce.sh"} <= set(produced)
    assert (tmp_path / "conversion-reproduce.sh").read_text().startswith("#!/bin/sh")


def test_the_certificate_names_the_files_that_serve(tenant: httpx.Client) -> None:
    version = tenant.get("/v1/models/minilm/versions/1").json()
    certificate = version["certificate"]
    assert certificate["verdict"] == "certified"
    assert certificate["precision"] == "int8"
    served = {name.removeprefix("served/"): sha for name, sha in version["produced"].items() if "served/" in name}
    assert served == {
        name.removeprefix("model/"): sha for name, sha in certificate["files"].items() if name.startswith("model/")
    }
    assert certificate["files"]["source/model.safetensors"] == version["files"]["model.safetensors"]
    assert all(metric["passed"] for metric in certificate["accuracy"])


def test_a_stranger_downloads_nothing(tenant: httpx.Client, stranger: httpx.Client) -> None:
    produced = tenant.get("/v1/models/minilm/versions/1").json()["produced"]
    answer = stranger.get(f"/v1/artefacts/{produced['served/runtime.json']}")
    assert answer.status_code == 404
    assert json.loads(answer.text)["error"]["code"] == "not_found"
