"""GGUF files whose numbers lie: each is refused from its header, and no tensor is read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.sources import gguf_file
from tests.converters.sources.hostile import refused_by

UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
WIDTH, TOKENS = 32, 4


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _number(value: int) -> bytes:
    return struct.pack("<II", UINT32, value)


def _string(value: str) -> bytes:
    return struct.pack("<I", STRING) + _text(value)


def _strings(values: list[str]) -> bytes:
    return struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(_text, values))


METADATA = {
    "general.architecture": _string("llama"),
    "llama.block_count": _number(1),
    "llama.embedding_length": _number(WIDTH),
    "llama.context_length": _number(64),
    "tokenizer.ggml.tokens": _strings([f"t{i}" for i in range(TOKENS)]),
}
TABLE: dict[str, Any] = {"name": "token_embd.weight", "dims": [WIDTH, TOKENS], "kind": 0, "offset": 0}
LAYER: dict[str, Any] = {"name": "blk.0.attn_q.weight", "dims": [WIDTH, 1], "kind": 0, "offset": 4 * WIDTH * TOKENS}
DATA = np.arange(WIDTH * (TOKENS + 1), dtype=np.float32).tobytes()


def _file(
    metadata: dict[str, bytes] | None = None,
    tensors: list[dict[str, Any]] | None = None,
    data: bytes = DATA,
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A file of one layer, or what the arguments make of it."""
    entries = METADATA | (metadata or {})
    placed = [TABLE, LAYER] if tensors is None else tensors
    head = magic + struct.pack("<IQQ", version, *(counts or (len(placed), len(entries))))
    head += b"".join(_text(key) + value for key, value in entries.items())
    for tensor in placed:
        dims = tensor["dims"]
        head += _text(tensor["name"]) + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        head += struct.pack("<IQ", tensor["kind"], tensor["offset"])
    return head.ljust((len(head) + 31) // 32 * 32, b"\0") + data


def _table(**changes: Any) -> bytes:
    return _file(tensors=[TABLE | changes, LAYER])


def _nested() -> bytes:
    return struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 1000


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "cannot be used"),
    "another format": (lambda: _file(magic=b"GGML"), "does not begin as GGUF"),
    "a version of the future": (lambda: _file(version=99), "version 2 or 3"),
    "the other byte order": (lambda: _file(version=0x03000000), "version 2 or 3"),
    "2^63 tensors": (lambda: _file(counts=(2**63, 5)), "promises"),
    "2^63 metadata entries": (lambda: _file(counts=(2, 2**63)), "promises"),
    "a text of 2^62 bytes": (lambda: _file({"a": struct.pack("<IQ", STRING, 2**62)}), "promises"),
    "a text beyond the end": (lambda: _file({"a": struct.pack("<IQ", STRING, 10**6)}), "ends at byte"),
    "an array of 2^62 texts": (lambda: _file({"a": struct.pack("<IIQ", ARRAY, STRING, 2**62)}), "promises"),
    "an array of more texts than bytes": (
        lambda: _file({"a": struct.pack("<IIQ", ARRAY, STRING, 10**6)}),
        "more texts than",
    ),
    "arrays a thousand deep": (lambda: _file({"a": _nested()}), "array in an array"),
    "a value of no type": (lambda: _file({"a": struct.pack("<I", 77)}), "unknown type"),
    "an alignment of zero": (lambda: _file({"general.alignment": _number(0)}), "alignment"),
    "an alignment of 2^31": (lambda: _file({"general.alignment": _number(2**31)}), "alignment"),
    "a tensor of 2^126": (lambda: _table(dims=[2**63, 2**63]), "overlap|need"),
    "a tensor of a thousand dimensions": (lambda: _table(dims=[1] * 1000), "promises"),
    "a tensor without an element": (lambda: _table(dims=[0, 4]), "does not fit its datatype"),
    "a tensor that overlaps another": (lambda: _file(tensors=[TABLE, LAYER | {"offset": 0}]), "overlap"),
    "a tensor beyond the end": (lambda: _file(data=DATA[:-1]), "the file has"),
    "a tensor far beyond the end": (lambda: _file(tensors=[TABLE, LAYER | {"offset": 2**60}]), "the file has"),
    "a datatype nobody knows": (lambda: _table(kind=99), "datatype 99"),
    "blocks that are not whole": (lambda: _table(kind=8, dims=[WIDTH + 1, TOKENS]), "does not fit its datatype"),
    "two tensors of one name": (lambda: _file(tensors=[TABLE, TABLE | {"offset": LAYER["offset"]}]), "one name|need"),
    "a thousand million layers": (lambda: _file({"llama.block_count": _number(10**9)}), "block_count|layers"),
    "another number of layers": (lambda: _file({"llama.block_count": _number(2)}), "2 layers"),
    "the tokenizer of another model": (
        lambda: _file({"tokenizer.ggml.tokens": _strings(["a"] * 9)}),
        "as its tokenizer and its width say",
    ),
    "no tokenizer": (lambda: _file({"tokenizer.ggml.tokens": _number(4)}), "no tokenizer"),
    "another width": (lambda: _file({"llama.embedding_length": _number(64)}), "its width say"),
    "an architecture that is a path": (lambda: _file({"general.architecture": _string("../x")}), "architecture"),
    "one part of many": (lambda: _file({"split.count": _number(7)}), "one part of a split model"),
    "a template of 2 MB": (
        lambda: _file({"tokenizer.chat_template": _string("{{ x }}" * 300_000)}),
        "more than 1 MB",
    ),
    "NaN among weights": (lambda: _file(data=DATA[:-4] + struct.pack("<f", float("nan"))), "NaN"),
    "infinity among weights": (lambda: _file(data=struct.pack("<f", float("inf")) + DATA[4:]), "infinite"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_gguf_file_that_lies_is_refused(case: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    path = source / "model.gguf"
    path.write_bytes(CASES[case][0]())
    error = refused_by(lambda: gguf_file.inspect(source, path, "chat"), source, CASES[case][1], seconds=2)
    assert "upload" in error.remedy.lower() or "finite" in error.remedy


def test_the_file_that_the_lies_are_made_of_is_taken(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(_file())
    facts = gguf_file.inspect(tmp_path, tmp_path / "model.gguf", "chat")
    assert facts.architecture == "llama"
    assert facts.parameters == WIDTH * (TOKENS + 1)
