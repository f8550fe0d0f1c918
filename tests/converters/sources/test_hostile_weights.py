"""Hugging Face directories whose files do not belong together, or are not what they say."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tests.converters.sources.hostile import refused, refused_by, refused_in_child

Damage = Callable[[Path], object]


def _config(**fields: Any) -> Damage:
    def change(source: Path) -> None:
        config = json.loads((source / "config.json").read_text())
        (source / "config.json").write_text(json.dumps(config | fields))

    return change


def _weights(change: Callable[[dict[str, NDArray[Any]]], object]) -> Damage:
    def damage(source: Path) -> None:
        tensors = load_file(source / "model.safetensors")
        change(tensors)
        save_file(tensors, source / "model.safetensors")

    return damage


def _one(name: str, value: float) -> Damage:
    def change(tensors: dict[str, NDArray[Any]]) -> None:
        tensors[name] = tensors[name].copy()
        tensors[name].reshape(-1)[-1] = value

    return _weights(change)


def _raw(header: bytes, data: bytes = b"", length: int | None = None) -> Damage:
    size = struct.pack("<Q", len(header) if length is None else length)
    return lambda source: (source / "model.safetensors").write_bytes(size + header + data)


def _tensor(dtype: str, shape: list[int], end: int) -> bytes:
    return json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}).encode()


TABLE = "embeddings.word_embeddings.weight"
LAST = "encoder.layer.0.output.dense.weight"

FILES: dict[str, tuple[Damage, str]] = {
    "NaN in the table": (_one(TABLE, np.nan), "NaN"),
    "NaN in the last layer": (_one(LAST, np.nan), "NaN"),
    "infinity in a layer": (_one(LAST, np.inf), "infinite"),
    "NaN in bfloat16": (_raw(_tensor("BF16", [2], 4), b"\xc0\x7f\xc0\x7f"), "NaN"),
    "NaN in FP16": (_raw(_tensor("F16", [2], 4), b"\x00\x7e\x00\x7e"), "NaN"),
    "a table of other words": (
        _weights(lambda t: t.update({TABLE: np.zeros((7, 64), np.float32)})),
        "do not belong to config.json",
    ),
    "a table of another width": (_config(hidden_size=128), "do not belong to config.json"),
    "a vocabulary of 10^12": (_config(vocab_size=10**12), "do not belong|vocab_size|token ids"),
    "a negative vocabulary": (_config(vocab_size=-1), "do not belong|vocab_size|token ids"),
    "layers in words": (_config(num_hidden_layers="many"), "impossible num_hidden_layers"),
    "minus one layer": (_config(num_hidden_layers=-1), "impossible num_hidden_layers"),
    "as many layers as there are atoms": (_config(num_hidden_layers=10**80), "impossible num_hidden_layers"),
    "a type that is a path": (_config(model_type="../../etc"), "no model_type"),
    "a type that is an object": (_config(model_type={"a": 1}), "no model_type"),
    "code in the configuration": (_config(trust_remote_code=True), "runs none"),
    "a configuration 100,000 deep": (
        lambda s: (s / "config.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000),
        "valid JSON",
    ),
    "an integer of a million digits": (
        lambda s: (s / "config.json").write_text('{"vocab_size": ' + "9" * 10**6 + "}"),
        "valid JSON",
    ),
    "a configuration that is not UTF-8": (lambda s: (s / "config.json").write_bytes(b'{"a": "\xff"}'), "valid JSON"),
    "a configuration of 100 MB": (
        lambda s: (s / "config.json").write_bytes(b'{"a": 1}' + b" " * 100 * 1024**2),
        "more than",
    ),
    "a header of nothing but space": (_raw(b" " * 100_000), "valid JSON"),
    "a header that is one byte too long": (_raw(_tensor("F32", [1], 4), b"", 10**6), "header claims"),
    "a shape with a negative size": (_raw(_tensor("F32", [-1, -1], 4), b"\0" * 4), "list of sizes"),
    "a shape with a fraction": (_raw(_tensor("F32", [0.5], 2), b"\0" * 2), "list of sizes"),  # type: ignore[list-item]
    "a shape of 2^126": (_raw(_tensor("F32", [2**62, 2**62], 4), b"\0" * 4), "overflows"),
    "a shape of a thousand sizes": (_raw(_tensor("F32", [1] * 1000, 4), b"\0" * 4), "list of sizes"),
    "bytes that belong to nothing": (_raw(_tensor("F32", [1], 4), b"\0" * 999), "fill 4 of 999"),
    "a zip archive": (lambda s: (s / "model.safetensors").write_bytes(b"PK\x03\x04" + bytes(100)), "header claims"),
    "nothing": (lambda s: (s / "model.safetensors").write_bytes(b""), "header claims|is empty"),
    "a tensor in two files": (
        lambda s: (s / "other.safetensors").write_bytes((s / "model.safetensors").read_bytes()),
        "another file has",
    ),
    "weights that are a directory": (
        lambda s: ((s / "model.safetensors").unlink(), (s / "model.safetensors").mkdir()),
        "no \\*.safetensors|not a file|not a plain file",
    ),
    "weights behind a link": (
        lambda s: (
            (s / "model.safetensors").rename(s.parent / "kept"),
            (s / "model.safetensors").symlink_to(s.parent / "kept"),
        ),
        "not a plain file",
    ),
    "fifteen hundred files": (lambda s: [(s / f"f{i}").touch() for i in range(1500)], "more than 1000 files"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_do_not_hold_are_refused(case: str, bert_copy: Path) -> None:
    damage, message = FILES[case]
    damage(bert_copy)
    refused(bert_copy, "embedding", message)


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "layers of another width": {"intermediate_size": 128},
    "more positions than there are": {"max_position_embeddings": 10**6},
    "types without end": {"type_vocab_size": 10**12},
    "no attention heads": {"num_attention_heads": 0},
    "a function that is not one": {"hidden_act": "os.system"},
    "a text for a number": {"layer_norm_eps": "small"},
    "a type that nobody knows": {"model_type": "evilbert"},
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_configuration_that_torch_cannot_build_is_refused(case: str, bert_copy: Path) -> None:
    from converters.steps.export import TorchEncoder

    _config(**CONFIGURATIONS[case])(bert_copy)
    refused_by(lambda: TorchEncoder(bert_copy, 1), bert_copy, "cannot build this model", seconds=20)


async def test_a_header_of_two_hundred_thousand_tensors_is_refused(bert_copy: Path) -> None:
    """12 MB of JSON: neither does the child hang on it, nor does it take all memory."""
    entries = (f'"t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(200_000))
    _raw(f"{{{','.join(entries)}}}".encode())(bert_copy)
    await refused_in_child(bert_copy, "embedding", "more than 100000 tensors")
