"""What `conch convert` makes of the source it is named: plain copies of what belongs to the model, and no more."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import SourceInvalid
from hub.cli.conversion_source import find, stage


def _staged(
    source: Path, tmp_path: Path, task: str = "tensor", calibration: Path | None = None, output: Path | None = None
) -> dict[str, bytes]:
    """The files of the staged source by their path in it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = find(str(source), task, calibration, None, output or tmp_path / "out")
    directory = stage(found, scratch).directory
    assert not any(path.is_symlink() for path in directory.rglob("*"))
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def _write(directory: Path, *names: str) -> Path:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return directory


def _graph(path: Path, *locations: str) -> Path:
    """An ONNX file that adds weights of 4 floats, each in the file of its own that `locations` names."""
    nodes, weights, value = [], [], "x"
    for number, location in enumerate(locations):
        tensor = numpy_helper.from_array(np.ones(4, np.float32), f"w{number}")
        onnx.external_data_helper.set_external_data(tensor, location)
        tensor.ClearField("raw_data")
        weights.append(tensor)
        nodes.append(helper.make_node("Add", [value, f"w{number}"], [f"v{number}"]))
        value = f"v{number}"
    nodes.append(helper.make_node("Relu", [value], ["y"]))
    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 4]) for name in ("x", "y")]
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(helper.make_graph(nodes, "sums", rows[:1], rows[1:], weights)), path)
    for location in locations:
        if not Path(location).is_absolute() and ".." not in location:
            (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
            (path.parent / location).write_bytes(np.ones(4, np.float32).tobytes())
    return path


def test_a_directory_is_copied_without_what_is_hidden(tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx", "1_Pooling/config.json", ".git/HEAD", ".cache/huggingface/x")
    assert set(_staged(source, tmp_path)) == {"model.onnx", "1_Pooling/config.json"}


def test_a_link_is_followed_within_the_source(tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "weights/v2.onnx")
    (source / "model.onnx").symlink_to("weights/v2.onnx")
    assert _staged(source, tmp_path)["model.onnx"] == b"weights/v2.onnx"


def test_a_snapshot_of_hugging_faces_cache_is_read_through_its_links(tmp_path: Path) -> None:
    repository = _write(tmp_path / "models--org--name", "blobs/aa", "blobs/bb")
    snapshot = repository / "snapshots" / "0123"
    (snapshot / "onnx").mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/aa")
    (snapshot / "onnx" / "model.pt2").symlink_to("../../../blobs/bb")
    assert _staged(snapshot, tmp_path) == {"config.json": b"blobs/aa", "onnx/model.pt2": b"blobs/bb"}
    (tmp_path / "scratch").rename(tmp_path / "first")
    assert _staged(snapshot / "onnx" / "model.pt2", tmp_path) == {"model.pt2": b"blobs/bb"}


@pytest.mark.parametrize("target", ["/dev/zero", "../secret", "/etc/passwd", ".."])
def test_a_link_that_leads_out_is_refused(target: str, tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx")
    (tmp_path / "secret").write_text("x")
    (source / "weights.bin").symlink_to(target)
    with pytest.raises(SourceInvalid, match=r"'weights\.bin' is a link that leads out of the source"):
        _staged(source, tmp_path)


@pytest.mark.parametrize("kind", ["dangling", "loop", "fifo", "directory"])
def test_what_is_no_file_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx", "weights/w")
    if kind == "fifo":
        os.mkfifo(source / "odd")
    else:
        (source / "odd").symlink_to({"dangling": "nothing", "loop": "odd", "directory": "weights"}[kind])
    with pytest.raises(SourceInvalid, match="'odd' is no regular file"):
        _staged(source, tmp_path)


def test_a_directory_with_too_many_files_is_refused_before_any_is_copied(tmp_path: Path) -> None:
    source = _write(tmp_path / "home", *map(str, range(1001)))
    with pytest.raises(SourceInvalid, match="more than 1000 files"):
        _staged(source, tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_device_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="no regular file"):
        find("/dev/zero", "tensor", None, None, tmp_path / "out")


@pytest.mark.parametrize("output", ["model", "model/out", "."])
def test_source_and_output_do_not_lie_in_each_other(output: str, tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx")
    with pytest.raises(SourceInvalid, match="lie in each other"):
        _staged(source, tmp_path, output=tmp_path / output)
    if output == ".":
        with pytest.raises(SourceInvalid, match="lie in each other"):
            find(str(source / "model.onnx"), "tensor", None, None, tmp_path)


def test_samples_of_the_command_line_replace_those_of_the_source(tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx", "calibration.txt", "data/calibration.txt")
    samples = _write(tmp_path, "mine.JSONL") / "mine.JSONL"
    assert _staged(source, tmp_path, calibration=samples) == {
        "model.onnx": b"model.onnx",
        "calibration.jsonl": b"mine.JSONL",
        "data/calibration.txt": b"data/calibration.txt",
    }


def test_samples_of_the_command_line_never_replace_external_data(tmp_path: Path) -> None:
    model = _graph(tmp_path / "model" / "net.onnx", "calibration.jsonl")
    samples = _write(tmp_path, "mine.jsonl") / "mine.jsonl"
    with pytest.raises(SourceInvalid, match=r"has a file 'calibration\.jsonl' of its own"):
        _staged(model, tmp_path, calibration=samples)


@pytest.mark.parametrize("place", ["out/rows.jsonl", "out/deeper/rows.jsonl", "linked/rows.jsonl", "out/link.jsonl"])
def test_samples_in_the_output_are_refused_before_they_would_be_taken_away(place: str, tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx")
    _write(tmp_path, "elsewhere.jsonl", "out/rows.jsonl", "out/deeper/rows.jsonl")
    (tmp_path / "linked").symlink_to("out")
    (tmp_path / "out" / "link.jsonl").symlink_to("../elsewhere.jsonl")
    with pytest.raises(SourceInvalid, match="lies in the output"):
        find(str(source), "tensor", tmp_path / place, None, tmp_path / "out")


def test_samples_in_an_unknown_format_are_refused(tmp_path: Path) -> None:
    source = _write(tmp_path / "model", "model.onnx", "rows.csv")
    with pytest.raises(SourceInvalid, match="not in a format that is read"):
        find(str(source), "tensor", source / "rows.csv", None, tmp_path / "out")


def test_an_onnx_file_brings_the_external_data_that_it_names(tmp_path: Path) -> None:
    model = _graph(tmp_path / "model" / "net[v2].onnx", "weights/a.bin", "b.bin")
    _write(model.parent, "net[v2].onnx.data", "other.onnx", "tokenizer.json")
    assert set(_staged(model, tmp_path)) == {"model.onnx", "weights/a.bin", "b.bin"}


def test_a_suffix_in_capitals_says_the_same(tmp_path: Path) -> None:
    assert set(_staged(_graph(tmp_path / "model" / "N2.ONNX", "w.bin"), tmp_path)) == {"model.onnx", "w.bin"}
    (tmp_path / "scratch").rename(tmp_path / "first")
    program = _write(tmp_path / "program", "Net.PT", "inputs.json") / "Net.PT"
    assert set(_staged(program, tmp_path)) == {"Net.pt", "inputs.json"}


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a\\..\\secret"])
def test_external_data_outside_its_directory_is_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x" * 16)
    with pytest.raises(SourceInvalid, match="outside its own directory"):
        _staged(_graph(tmp_path / "model" / "net.onnx", location), tmp_path)


def test_external_data_behind_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    model = _graph(tmp_path / "model" / "net.onnx", "w.bin")
    (tmp_path / "secret").write_bytes(b"x" * 16)
    (model.parent / "w.bin").unlink()
    (model.parent / "w.bin").symlink_to("../secret")
    with pytest.raises(SourceInvalid, match="leads out of the source"):
        _staged(model, tmp_path)


@pytest.mark.parametrize("location", ["w.bin", "model.onnx"])
def test_external_data_that_is_missing_or_the_model_itself_is_named(location: str, tmp_path: Path) -> None:
    model = _graph(tmp_path / "model" / "net.onnx", location)
    if location == "w.bin":
        (model.parent / location).unlink()
    with pytest.raises(SourceInvalid, match=f"keeps weights in '{location}'"):
        _staged(model, tmp_path)


@pytest.mark.parametrize(
    ("task", "model", "beside", "staged"),
    [
        ("speech", "amy.onnx", ["amy.onnx.json", "config.json"], {"model.onnx.json", "config.json"}),
        (
            "embedding",
            "e.onnx",
            ["tokenizer.json", "1_Pooling/config.json"],
            {"tokenizer.json", "1_Pooling/config.json"},
        ),
        ("classification", "c.onnx", ["config.min.json", "tokenizer.json"], {"config.min.json"}),
        ("tensor", "t.onnx", ["config.json", "calibration.txt"], set()),
        ("tensor", "net.pt", ["inputs.json"], {"inputs.json"}),
        ("tensor", "net.pt2", ["inputs.json"], set()),
        ("chat", "small.gguf", ["config.json"], set()),
    ],
)
def test_a_file_brings_what_its_task_reads_beside_it(
    task: str, model: str, beside: list[str], staged: set[str], tmp_path: Path
) -> None:
    source = _write(tmp_path / "model", *beside, "README.md")
    if model.endswith(".onnx"):
        _graph(source / model)
    else:
        (source / model).write_text(model)
    name = "model.onnx" if model.endswith(".onnx") else model
    assert set(_staged(source / model, tmp_path, task)) == {name, *staged}
