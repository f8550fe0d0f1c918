"""Models in a local MLflow store become plain directories, by every way to name them."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from converters.lineage import combined, digests
from converters.sources.detect import inspect
from registry.tracking import Limits, SourceRefused, SourceUnknown, Tracking, TrackingMissing, fetch
from registry.tracking.library import tracking_client
from tests.registry.tracking.models import ONNX, PYTORCH, TRANSFORMERS, Logged, onnx_model, write_model

Register = Callable[[Path], str]

ONNX_MLMODEL = "flavors: {onnx: {data: model.onnx, code: null}, python_function: {loader_module: mlflow.onnx}}"


def names(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def register(store: Tracking, request: pytest.FixtureRequest) -> Register:
    """Register a directory as version 1 of a model of its own, and give its reference."""
    name = re.sub(r"[^\w]+", "_", request.node.name)

    def registered(directory: Path) -> str:
        with tracking_client(store.uri) as client:
            client.create_registered_model(name)
            version = client.create_model_version(name, directory.as_uri())
        return f"models:/{name}/{version.version}"

    return registered


@pytest.mark.parametrize("flavour", [ONNX, TRANSFORMERS, PYTORCH])
def test_every_reference_to_a_model_gives_the_same_files(
    flavour: str, store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    model = logged[flavour]
    digest = set()
    for index, (uri, resolved) in enumerate(model.references.items()):
        fetched = fetch(uri, store.uri, tmp_path / str(index))
        assert (fetched.uri, fetched.resolved, fetched.flavour) == (uri, resolved, flavour)
        assert fetched.run_id == model.run_id
        assert fetched.bytes == sum((fetched.directory / name).stat().st_size for name in names(fetched.directory))
        digest.add(fetched.source_sha256)
    assert digest == {combined(digests("source", tmp_path / "0"))}


def test_an_onnx_model_comes_with_its_external_data(store: Tracking, logged: dict[str, Logged], tmp_path: Path) -> None:
    source = fetch("models:/onnx/1", store.uri, tmp_path / "source").directory
    assert len(names(source)) == 2
    [weights] = onnx.load(source / "model.onnx").graph.initializer
    assert np.array_equal(numpy_helper.to_array(weights), numpy_helper.to_array(onnx_model().graph.initializer[0]))
    assert inspect(source, "tensor").parameters == 64 * 64


def test_a_transformers_model_is_a_hugging_face_directory(
    store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    source = fetch("models:/transformers@best", store.uri, tmp_path / "source").directory
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names(source)
    assert not any("/" in name for name in names(source))
    assert inspect(source, "embedding").architecture == "bert"


def test_a_pytorch_model_stays_closed_and_keeps_the_name_that_says_what_it_is(
    store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    source = fetch("models:/pytorch/1", store.uri, tmp_path / "source").directory
    assert names(source) == {"model.pth"}


def test_an_exported_program_is_a_pt2_file(store: Tracking, register: Register, tmp_path: Path) -> None:
    model = write_model(
        tmp_path / "model", "flavors: {pytorch: {model_data: data, code: null}}", {"data/model.pt2": b"archive"}
    )
    assert names(fetch(register(model), store.uri, tmp_path / "source").directory) == {"model.pt2"}


def test_extra_files_of_an_onnx_model_lie_beside_it(store: Tracking, register: Register, tmp_path: Path) -> None:
    graph = onnx_model().SerializeToString()
    files = {"model.onnx": graph, "extra_files/tokenizer.json": b"{}", "requirements.txt": b"onnx"}
    model = write_model(tmp_path / "model", ONNX_MLMODEL, files)
    source = fetch(register(model), store.uri, tmp_path / "source").directory
    assert names(source) == {"model.onnx", "tokenizer.json"}
    assert inspect(source, "tensor").format == "onnx"


def test_a_model_among_the_artefacts_of_its_run_is_found_as_mlflow_2_left_it(store: Tracking, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", ONNX_MLMODEL, {"model.onnx": onnx_model().SerializeToString()})
    with tracking_client(store.uri) as client:
        experiment = client.create_experiment("mlflow 2", artifact_location=(tmp_path / "runs").as_uri())
        run_id = client.create_run(experiment).info.run_id
        client.log_artifacts(run_id, str(model), "deep/model")
    fetched = fetch(f"runs:/{run_id}/deep/model", store.uri, tmp_path / "source")
    assert (fetched.resolved, names(fetched.directory)) == (f"runs:/{run_id}/deep/model", {"model.onnx"})


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/onnx/7", "has no version 7 of a model 'onnx'"),
        ("models:/nobody/1", "has no version 1 of a model 'nobody'"),
        ("models:/onnx@worst", "has no model 'onnx' with the alias 'worst'"),
        ("models:/nobody@best", "has no model 'nobody' with the alias 'best'"),
        ("models:/m-0123456789abcdef", "has no logged model m-0123456789abcdef"),
        ("runs:/0123456789abcdef/model", "has no run 0123456789abcdef"),
        ("models:/onnx", "not the address of a model"),
        ("models:/onnx/Production", "not the address of a model"),
        ("models:/onnx/latest", "not the address of a model"),
        ("models://elsewhere/onnx/1", "not the address of a model"),
        ("runs:/0123456789abcdef/../../secret", "not the address of a model"),
        ("runs:/0123456789abcdef/a' OR name != 'b", "not the address of a model"),
        ("file:///etc", "not the address of a model"),
        ("models:/\x1b[2Jonnx/1", "not the address of a model"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(
    uri: str, message: str, store: Tracking, logged: dict[str, Logged], tmp_path: Path
) -> None:
    with pytest.raises(SourceUnknown, match=message) as caught:
        fetch(uri, store.uri, tmp_path / "source")
    assert caught.value.remedy
    assert not (tmp_path / "source").exists()


def test_a_run_without_that_model_says_so(store: Tracking, logged: dict[str, Logged], tmp_path: Path) -> None:
    with pytest.raises(SourceUnknown, match="has logged no model under 'other'"):
        fetch(f"runs:/{logged[ONNX].run_id}/other", store.uri, tmp_path / "source")


def _deep(levels: int) -> str:
    return "flavors: " + "[" * levels


_BOMB = "a: &a {k: v}\n" + "".join(
    f"{'b' * i}: &{'b' * i} {{<<: [{', '.join(['*' + ('b' * (i - 1) or 'a')] * 9)}]}}\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("mlmodel", "message"),
    [
        ("flavors: {sklearn: {code: null}, python_function: {code: null}}", "it has: python_function, sklearn"),
        ("flavors: {python_function: {loader_module: mlflow.pyfunc.model}}", "it has: python_function"),
        ("flavors: {}", "it has: none"),
        ("flavors: {'\x1b[2J': {}}", "valid YAML"),
        ('flavors: {"\\e[2J": {}}', "not printable"),
        ("flavors: {onnx: {data: model.onnx, code: code}}", "code of its own"),
        ("flavors: {onnx: {data: model.onnx}, python_function: {code: code}}", "code of its own"),
        ("flavors: {onnx: {data: model.onnx, code: [evil.py]}}", "code of its own"),
        ("flavors: {onnx: {data: other.onnx}}", "ONNX file is missing"),
        ("flavors: {onnx: {data: ../model/model.onnx}}", "ONNX file is missing"),
        ("flavors: {onnx: {data: /etc/passwd}}", "ONNX file is missing"),
        ("flavors: {transformers: {source_model_name: org/model}}", "weights are not in MLflow"),
        ("flavors: {transformers: {peft_adaptor: peft, model_binary: model}}", "only an adapter"),
        ("flavors: {transformers: {model_binary: model}}", "config.json is missing"),
        ("flavors: {transformers: {model_binary: ..}}", "config.json is missing"),
        ("flavors: {pytorch: {model_data: data}}", "neither model.pt2 nor model.pth"),
        ("flavors: [onnx]", "names no flavours"),
        ("flavors: {onnx: model.onnx}", "names no flavours"),
        ("model: {}", "names no flavours"),
        ("[]", "does not hold a mapping"),
        ("", "does not hold a mapping"),
        ("flavors: {onnx", "valid YAML"),
        ("flavors: {? [a] : b}", "valid YAML"),
        (_deep(100_000), "valid YAML"),
        (_BOMB, "names no flavours"),
        ("flavors: {onnx: !!python/object/apply:os.system ['false']}", "names no flavours"),
        ("flavors: {onnx: {data: model.onnx}}\n" + "#" * 1024**2, "more than 1048576 bytes"),
    ],
    ids=range(27),
)
def test_a_model_that_cannot_be_converted_is_refused_with_the_reason(
    mlmodel: str, message: str, store: Tracking, register: Register, tmp_path: Path
) -> None:
    uri = register(write_model(tmp_path / "model", mlmodel, {"model.onnx": b"graph"}))
    with pytest.raises(SourceRefused, match=message) as caught:
        fetch(uri, store.uri, tmp_path / "source")
    assert caught.value.remedy
    assert {path.name for path in tmp_path.iterdir()} == {"current", "model"}, "nothing is left behind"


def test_bytes_that_are_no_text_are_no_mlmodel(store: Tracking, register: Register, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", "", {"MLmodel": b"\xff\xfe\x00flavors"})
    with pytest.raises(SourceRefused, match="valid YAML"):
        fetch(register(model), store.uri, tmp_path / "source")


def test_a_directory_without_mlmodel_is_not_a_model(store: Tracking, register: Register, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", "", {"model.onnx": b"graph"})
    (model / "MLmodel").unlink()
    with pytest.raises(SourceRefused, match="no MLmodel"):
        fetch(register(model), store.uri, tmp_path / "source")


@pytest.mark.parametrize("link", ["model.onnx", "data.bin", "extra_files"])
def test_a_link_among_the_artefacts_is_not_followed(
    link: str, store: Tracking, register: Register, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "tokenizer.json").write_text(json.dumps({"password": "sesame"}))
    model = write_model(tmp_path / "model", ONNX_MLMODEL, {} if link == "model.onnx" else {"model.onnx": b"graph"})
    (model / link).symlink_to(secret if link == "extra_files" else secret / "tokenizer.json")
    with pytest.raises(SourceRefused, match="is a link"):
        fetch(register(model), store.uri, tmp_path / "source")


def test_a_file_and_a_directory_of_one_name_are_refused(store: Tracking, register: Register, tmp_path: Path) -> None:
    files = {"model.onnx": b"graph", "extra_files/model.onnx/inner": b""}
    model = write_model(tmp_path / "model", ONNX_MLMODEL, files)
    with pytest.raises(SourceRefused, match="the same place"):
        fetch(register(model), store.uri, tmp_path / "source")


def test_more_files_or_bytes_than_allowed_are_refused(store: Tracking, register: Register, tmp_path: Path) -> None:
    uri = register(write_model(tmp_path / "model", ONNX_MLMODEL, {"model.onnx": b"x" * 1000, "data.bin": b"x" * 1000}))
    with pytest.raises(SourceRefused, match="more than 2 files"):
        fetch(uri, store.uri, tmp_path / "source", Limits(files=2))
    with pytest.raises(SourceRefused, match="more than 1999 bytes"):
        fetch(uri, store.uri, tmp_path / "source", Limits(bytes=1999))
    assert fetch(uri, store.uri, tmp_path / "source", Limits(files=3, bytes=2000)).bytes == 2000


def test_a_model_whose_files_are_at_any_address_is_refused(store: Tracking, tmp_path: Path) -> None:
    with tracking_client(store.uri) as client:
        client.create_registered_model("elsewhere")
        for place in ("http://169.254.169.254/latest", "ftp://host/model", "mlflow-artifacts://host:80/model"):
            number = client.create_model_version("elsewhere", place).version
            with pytest.raises(SourceRefused, match="not where Conch reads from"):
                fetch(f"models:/elsewhere/{number}", store.uri, tmp_path / "source")


@pytest.mark.skipif(importlib.util.find_spec("botocore") is not None, reason="botocore is installed here")
def test_a_model_in_s3_needs_a_package_that_is_named(store: Tracking, tmp_path: Path) -> None:
    with tracking_client(store.uri) as client:
        client.create_registered_model("bucket")
        client.create_model_version("bucket", "s3://bucket/model")
    with pytest.raises(TrackingMissing, match="botocore is not installed"):
        fetch("models:/bucket/1", store.uri, tmp_path / "source")
