"""CTranslate2's weights file: read and written to the byte, and refused where it lies."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import SourceInvalid
from converters.sources import ctranslate2_directory
from converters.sources.ctranslate2_model import Variable, Weights, read_variables, write_variables
from converters.sources.detect import detect
from converters.sources.facts import Format
from tests.converters.sources.conftest import recogniser_weights


def test_the_weights_of_whisper_are_written_back_to_the_same_bytes(whisper: Path, tmp_path: Path) -> None:
    weights = read_variables(whisper / "model.bin")
    write_variables(tmp_path / "model.bin", weights)
    assert (tmp_path / "model.bin").read_bytes() == (whisper / "model.bin").read_bytes()
    assert weights.variables["decoder/embeddings/weight"].array.shape == (51864, 384)
    assert weights.aliases == {"decoder/projection/weight": "decoder/embeddings/weight"}


def test_a_model_with_rewritten_weights_opens_in_ctranslate2(whisper: Path, tmp_path: Path) -> None:
    import ctranslate2

    weights = read_variables(whisper / "model.bin")
    variables = {
        name: Variable("float32", v.array.astype(np.float32)) if v.dtype == "float16" and v.array.ndim else v
        for name, v in weights.variables.items()
    }
    write_variables(tmp_path / "model.bin", dataclasses.replace(weights, variables=variables))
    for name in ("config.json", "vocabulary.txt", "tokenizer.json"):
        (tmp_path / name).symlink_to(whisper / name)
    model = ctranslate2.models.Whisper(str(tmp_path), device="cpu", compute_type="float32", intra_threads=1)
    silence = ctranslate2.StorageView.from_array(np.zeros((1, 80, 3000), np.float32))
    assert model.encode(silence).shape == [1, 1500, 384]


def test_the_facts_of_whisper(whisper: Path) -> None:
    facts = ctranslate2_directory.inspect(whisper, "transcription")
    assert (facts.format, facts.architecture, facts.parameters) == (Format.CTRANSLATE2, "whisper", 37_764_864)
    assert facts.speech is not None
    assert (facts.speech.mel_bins, facts.speech.vocabulary, facts.speech.multilingual) == (80, 51864, False)
    assert (facts.speech.encoder_layers, facts.speech.decoder_layers) == (4, 4)
    assert set(facts.speech.weights) == {"float16"}


def test_a_directory_is_told_by_its_files(recogniser: Path) -> None:
    assert detect(recogniser) == (Format.CTRANSLATE2, recogniser / "model.bin")


def test_every_datatype_comes_back(recogniser: Path) -> None:
    given_, read = recogniser_weights(), read_variables(recogniser / "model.bin")
    assert list(read.variables) == list(given_.variables)
    for name, variable in given_.variables.items():
        assert read.variables[name].dtype == variable.dtype
        np.testing.assert_array_equal(read.variables[name].array, variable.array)


def test_an_array_of_another_datatype_is_not_written(tmp_path: Path) -> None:
    weights = Weights(6, "WhisperSpec", 3, {"a": Variable("int8", np.zeros(3, np.float32))}, {})
    with pytest.raises(ValueError, match="cannot be written as int8"):
        write_variables(tmp_path / "model.bin", weights)


def _changed(source: Path, **variables: Variable | None) -> None:
    """The same weights with some replaced (by name with __ for /), or without them."""
    weights = recogniser_weights()
    replaced = dict(weights.variables)
    for key, variable in variables.items():
        name = key.replace("__", "/")
        if variable is None:
            del replaced[name]
        else:
            replaced[name] = variable
    write_variables(source / "model.bin", dataclasses.replace(weights, variables=replaced))


def _bytes(source: Path, old: bytes, new: bytes) -> None:
    content = (source / "model.bin").read_bytes()
    assert content.count(old) >= 1
    (source / "model.bin").write_bytes(content.replace(old, new, 1))


def _floats(*values: float) -> Variable:
    return Variable("float32", np.array(values, np.float32))


_NAME = struct.pack("<H", 18) + b"encoder/num_heads\0"
_CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda s: (s / "model.bin").write_bytes(b""), "ends at byte 0"),
    "truncated": (lambda s: (s / "model.bin").write_bytes((s / "model.bin").read_bytes()[:-50]), "ends at byte"),
    "bytes behind it": (lambda s: (s / "model.bin").write_bytes((s / "model.bin").read_bytes() + b"more"), "4 bytes"),
    "a version of the future": (lambda s: _bytes(s, b"\6\0\0\0", b"\7\0\0\0"), "version is 7"),
    "four thousand million variables": (
        lambda s: _bytes(s, struct.pack("<II", 3, 6), struct.pack("<II", 3, 2**32 - 1)),
        "promises 4294967295 variables",
    ),
    "an unknown datatype": (lambda s: _bytes(s, _NAME + b"\0\2", _NAME + b"\0\x09"), "unknown datatype"),
    "a length that lies": (
        lambda s: _bytes(s, _NAME + b"\0\2" + struct.pack("<I", 2), _NAME + b"\0\2" + struct.pack("<I", 2**31)),
        "does not fit its data",
    ),
    "too many dimensions": (lambda s: _bytes(s, _NAME + b"\0", _NAME + b"\xff"), "255 dimensions"),
    "a name that is no text": (lambda s: _bytes(s, b"encoder/num_heads", b"encoder/num_head\xff"), "not UTF-8"),
    "a name that does not end": (lambda s: _bytes(s, b"encoder/num_heads\0", b"encoder/num_headsx"), "does not end"),
    "another kind of model": (lambda s: _bytes(s, b"WhisperSpec", b"WhimperSpec"), "WhimperSpec"),
    "weights that are NaN": (lambda s: _changed(s, decoder__layer_0__linear__bias=_floats(1, np.nan)), "are NaN"),
    "weights that are infinite": (
        lambda s: _changed(s, decoder__layer_0__linear__bias=_floats(1, 2, np.inf)),
        "are infinite",
    ),
    "no encoder": (lambda s: _changed(s, encoder__conv1__weight=None), "no encoder/conv1/weight"),
    "a layer that is missing": (
        lambda s: _changed(s, decoder__layer_2__linear__bias=_floats(1, 2)),
        "layers of its decoder",
    ),
    "a vocabulary of another model": (lambda s: (s / "vocabulary.json").write_text('["a"]'), "vocabulary has 1 tokens"),
    "a vocabulary that is an object": (lambda s: (s / "vocabulary.json").write_text("{}"), "no list of tokens"),
    "no vocabulary": (lambda s: (s / "vocabulary.json").unlink(), "neither vocabulary.json nor vocabulary.txt"),
    "heads of another model": (
        lambda s: (s / "config.json").write_text('{"alignment_heads": [[7, 0]]}'),
        "does not have",
    ),
    "tokens of another model": (lambda s: (s / "config.json").write_text('{"suppress_ids": [99]}'), "suppress_ids"),
}


@pytest.mark.parametrize("case", _CASES)
def test_a_directory_that_is_wrong_is_refused(case: str, recogniser: Path) -> None:
    damage, message = _CASES[case]
    ctranslate2_directory.inspect(recogniser, "transcription")
    damage(recogniser)
    with pytest.raises(SourceInvalid, match=message) as error:
        ctranslate2_directory.inspect(recogniser, "transcription")
    assert error.value.remedy
    assert str(recogniser) not in str(error.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_causes_anything_else(recogniser: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray((recogniser / "model.bin").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.bin").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(SourceInvalid):
        read = read_variables(tmp_path / "damaged.bin")
        assert sum(variable.array.nbytes for variable in read.variables.values()) <= len(content)


def test_a_vocabulary_in_lines_is_counted(recogniser: Path) -> None:
    tokens = json.loads((recogniser / "vocabulary.json").read_text())
    (recogniser / "vocabulary.json").unlink()
    (recogniser / "vocabulary.txt").write_text("\n".join(tokens) + "\n")
    assert ctranslate2_directory.inspect(recogniser, "transcription").size > 0
