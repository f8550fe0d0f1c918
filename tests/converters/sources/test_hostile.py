"""Sources that are wrong or mean harm: each is refused with a remedy, and nothing of it is run."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from converters.errors import SourceInvalid
from converters.sources.detect import inspect
from converters.sources.safetensors import read_header
from tests.converters.given import linear

Damage = Callable[[Path], object]


def _header(source: Path, change: Callable[[dict[str, Any]], object], data: bytes = b"\0" * 64) -> None:
    header = {
        "a": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]},
        "b": {"dtype": "F32", "shape": [8], "data_offsets": [32, 64]},
    }
    change(header)
    text = json.dumps(header).encode()
    (source / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def _config(source: Path, **fields: Any) -> None:
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | fields))


HUGGINGFACE: dict[str, tuple[Damage, str]] = {
    "header longer than the file": (
        lambda s: (s / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}"),
        "header claims",
    ),
    "seven bytes": (lambda s: (s / "model.safetensors").write_bytes(b"1234567"), "header claims"),
    "header is not JSON": (
        lambda s: (s / "model.safetensors").write_bytes(struct.pack("<Q", 8) + b"{{{{{{{{"),
        "valid JSON",
    ),
    "header nested too deep": (
        lambda s: (s / "model.safetensors").write_bytes(struct.pack("<Q", 200_000) + b"[" * 200_000),
        "valid JSON",
    ),
    "offsets beyond the file": (
        lambda s: _header(s, lambda h: h["b"].update(shape=[1000], data_offsets=[32, 4032])),
        "fill 4032 of 64 bytes",
    ),
    "overlapping tensors": (
        lambda s: _header(s, lambda h: h["b"].update(data_offsets=[16, 48])),
        "overlap",
    ),
    "negative offset": (lambda s: _header(s, lambda h: h["a"].update(data_offsets=[-32, 0])), "two positions"),
    "shape that overflows": (
        lambda s: _header(s, lambda h: h["a"].update(shape=[2**40, 2**40])),
        "overflows",
    ),
    "shape that lies": (lambda s: _header(s, lambda h: h["a"].update(shape=[4, 3])), "does not fit"),
    "unknown dtype": (lambda s: _header(s, lambda h: h["a"].update(dtype="PICKLE")), "unknown dtype"),
    "pickled weights only": (
        lambda s: (s / "model.safetensors").rename(s / "pytorch_model.bin"),
        "no \\*.safetensors",
    ),
    "remote code in the configuration": (
        lambda s: _config(s, auto_map={"AutoModel": "modeling_evil.Evil"}),
        "auto_map",
    ),
    "remote code in the tokenizer": (
        lambda s: (s / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.T", null]}}'),
        "auto_map",
    ),
    "a thousand million layers": (lambda s: _config(s, num_hidden_layers=10**9), "impossible num_hidden_layers"),
    "no model_type": (lambda s: _config(s, model_type=None), "no model_type"),
    "no tokenizer": (lambda s: (s / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "a tokenizer of another model": (lambda s: _config(s, vocab_size=5), "token ids up to"),
    "a configuration that is a list": (lambda s: (s / "config.json").write_text("[]"), "JSON object"),
    "a link out of the upload": (lambda s: (s / "notes").symlink_to("/etc/passwd"), "not a plain file"),
    "a pipe that never ends": (lambda s: os.mkfifo(s / "pipe"), "not a plain file"),
    "a shard that is not there": (
        lambda s: (s / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../secret.safetensors"}}'),
        "not there",
    ),
    "an unknown pooling": (
        lambda s: (
            (s / "1_Pooling").mkdir(),
            (s / "1_Pooling" / "config.json").write_text('{"pooling_mode_weightedmean_tokens": true}'),
        ),
        "pooling",
    ),
    "a module that is not served": (
        lambda s: (s / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]'),
        "module",
    ),
}


@pytest.mark.parametrize("case", HUGGINGFACE)
def test_hugging_face(case: str, bert_copy: Path) -> None:
    damage, message = HUGGINGFACE[case]
    damage(bert_copy)
    with pytest.raises(SourceInvalid, match=message) as error:
        inspect(bert_copy, "embedding")
    assert error.value.remedy
    assert str(bert_copy) not in str(error.value)


def _external(location: str, **more: str) -> onnx.ModelProto:
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return model


def _with(**changes: Any) -> onnx.ModelProto:
    model = linear()
    if "dims" in changes:
        model.graph.initializer[0].dims[:] = changes["dims"]
    if "domain" in changes:
        model.graph.node[0].domain = changes["domain"]
    if "opset" in changes:
        model.opset_import[0].version = changes["opset"]
    return model


def _large() -> onnx.ModelProto:
    model = linear()
    nodes = [helper.make_node("Identity", ["x"], [f"v{i}"]) for i in range(50_001)]
    model.graph.node.extend(nodes)
    return model


ONNX: dict[str, tuple[Callable[[], bytes], str]] = {
    "not a protobuf": (lambda: b"MZ this is no model", "not an ONNX file"),
    "empty": (lambda: b"", "not an ONNX file"),
    "text": (lambda: b"{}", "not an ONNX file"),
    "truncated": (lambda: linear().SerializeToString()[:-40], "not an ONNX file"),
    "weights outside": (lambda: _external("../../../etc/passwd").SerializeToString(), "outside the upload"),
    "weights at the root": (lambda: _external("/etc/passwd").SerializeToString(), "outside the upload"),
    "weights missing": (lambda: _external("weights.bin").SerializeToString(), "missing"),
    "weights beyond a file": (
        lambda: _external("model.onnx", offset="999999999").SerializeToString(),
        "does not fit its external data",
    ),
    "weights that overflow": (lambda: _with(dims=[2**40, 2**40]).SerializeToString(), "overflows"),
    "weights that lie": (lambda: _with(dims=[400, 300]).SerializeToString(), "does not fit its data"),
    "operators of its own": (lambda: _with(domain="com.evil").SerializeToString(), "operators of its own"),
    "an opset of the future": (lambda: _with(opset=99).SerializeToString(), "opset above"),
    "a huge graph": (lambda: _large().SerializeToString(), "more than 50000 nodes"),
}


@pytest.mark.parametrize("case", ONNX)
def test_onnx(case: str, tmp_path: Path) -> None:
    content, message = ONNX[case]
    (tmp_path / "model.onnx").write_bytes(content())
    with pytest.raises(SourceInvalid, match=message) as error:
        inspect(tmp_path, "tensor")
    assert error.value.remedy
    assert str(tmp_path) not in str(error.value)


def test_an_onnx_file_that_is_no_encoder(tmp_path: Path, tiny_bert: Path) -> None:
    onnx.save(linear(), tmp_path / "model.onnx")
    (tmp_path / "tokenizer.json").write_bytes((tiny_bert / "tokenizer.json").read_bytes())
    with pytest.raises(SourceInvalid, match="not those of a text encoder"):
        inspect(tmp_path, "embedding")


def test_external_weights_beside_the_graph_are_taken(tmp_path: Path) -> None:
    weights = numpy_helper.to_array(linear().graph.initializer[0])
    (tmp_path / "weights.bin").write_bytes(weights.tobytes())
    (tmp_path / "model.onnx").write_bytes(_external("weights.bin").SerializeToString())
    assert inspect(tmp_path, "tensor").parameters == 15


@pytest.mark.parametrize("task", ["embedding", "tensor", "chat"])
def test_nothing_at_all(task: str, tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid):
        inspect(tmp_path, task)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_header_causes_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    _header(tmp_path, lambda header: None)
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 65))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(SourceInvalid):
        assert sum(tensor.elements for tensor in read_header(path)) <= 64
