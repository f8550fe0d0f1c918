"""Inspection of a CTranslate2 directory for the task `transcription`: model.bin, config.json, the vocabulary."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import SourceInvalid
from converters.sources.ctranslate2_model import Variable, Weights, read_variables
from converters.sources.facts import Format, SourceFacts, SpeechFacts
from converters.sources.files import JSON_BYTES, plain_files, read_object, whole
from converters.sources.finite import from_bfloat16, not_finite, what_is_wrong

MODEL = "model.bin"
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")

_SPECIFICATION = "WhisperSpec"
_EMBEDDINGS = "decoder/embeddings/weight"
_MULTILINGUAL = 51865  # tokens of Whisper from which on the tokenizer is that of all languages
_MOST_TOKENS = 2**20
_LAYER = re.compile(r"(encoder|decoder)/layer_(\d{1,4})/")
_IDS = ("suppress_ids", "suppress_ids_begin", "lang_ids")


def inspect(source: Path, task: str) -> SourceFacts:
    """The facts of a speech recogniser of Whisper's shape. Raises SourceInvalid where its files do not fit together."""
    weights = read_variables(source / MODEL)
    if weights.specification != _SPECIFICATION:
        raise _invalid(f"model.bin is a {weights.specification[:50]}, not a {_SPECIFICATION}")
    _check_finite(weights)
    speech = _speech_facts(weights)
    _check_config(read_object(source / "config.json"), speech)
    tokens = _vocabulary(source)
    if tokens != speech.vocabulary:
        raise _invalid(f"the vocabulary has {tokens} tokens, and the model {speech.vocabulary}")
    for name in ("tokenizer.json", "preprocessor_config.json"):
        read_object(source / name, required=False)
    return SourceFacts(
        format=Format.CTRANSLATE2,
        task=task,
        architecture="whisper",
        parameters=sum(variable.array.size for variable in weights.variables.values() if variable.array.ndim),
        size=sum(path.stat().st_size for path in plain_files(source)),
        files={"model": MODEL},
        speech=speech,
    )


def _speech_facts(weights: Weights) -> SpeechFacts:
    embeddings = _shape(weights, _EMBEDDINGS, 2)
    convolution = _shape(weights, "encoder/conv1/weight", 3)
    stored: Counter[str] = Counter()
    for variable in weights.variables.values():
        if variable.array.ndim:
            stored[variable.dtype] += variable.array.size
    return SpeechFacts(
        mel_bins=convolution[1],
        vocabulary=embeddings[0],
        multilingual=embeddings[0] >= _MULTILINGUAL,
        encoder_layers=_layers(weights.variables, "encoder"),
        decoder_layers=_layers(weights.variables, "decoder"),
        weights=dict(stored),
    )


def _shape(weights: Weights, name: str, dimensions: int) -> tuple[int, ...]:
    name = weights.aliases.get(name, name)
    variable = weights.variables.get(name)
    if variable is None or variable.array.ndim != dimensions:
        raise _invalid(f"model.bin has no {name} of {dimensions} dimensions")
    return variable.array.shape


def _layers(variables: Mapping[str, Variable], part: str) -> int:
    numbers = {int(found[2]) for name in variables if (found := _LAYER.match(name)) and found[1] == part}
    if not numbers or numbers != set(range(len(numbers))):
        raise _invalid(f"the layers of its {part} are not numbered from 0 on")
    return len(numbers)


def _check_finite(weights: Weights) -> None:
    for position, variable in enumerate(weights.variables.values()):
        if "float" in variable.dtype and variable.array.ndim:
            array = variable.array
            bits = np.ascontiguousarray(array) if variable.dtype == "bfloat16" else None
            wrong = what_is_wrong(array if bits is None else from_bfloat16(bits))
            if wrong:
                raise not_finite(MODEL, wrong, position, array.shape)


def _check_config(config: Mapping[str, Any], speech: SpeechFacts) -> None:
    """Ids of tokens and places of heads that the decoder would look up without asking."""
    for field in _IDS:
        ids = config.get(field, [])
        # -1 stands for the model's own list; the ids of languages in English-only models lie one beyond the table.
        if not isinstance(ids, list) or any(whole(i, -1, speech.vocabulary) is None for i in ids):
            raise _invalid(f"{field} in config.json is no list of tokens")
    heads = config.get("alignment_heads", [])
    if not isinstance(heads, list) or any(not isinstance(h, list) or len(h) != 2 for h in heads):
        raise _invalid("alignment_heads in config.json is no list of layers and heads")
    if any(whole(h[0], 0, speech.decoder_layers - 1) is None or whole(h[1], 0, 1000) is None for h in heads):
        raise _invalid("alignment_heads in config.json names a layer that the model does not have")


def _vocabulary(source: Path) -> int:
    """How many tokens the vocabulary has."""
    path = next((source / name for name in VOCABULARIES if (source / name).is_file()), None)
    if path is None:
        raise _invalid(f"neither {' nor '.join(VOCABULARIES)} is there")
    if path.stat().st_size > JSON_BYTES:
        raise _invalid("the vocabulary is too large")
    content = path.read_bytes()
    if path.suffix == ".txt":
        return content.count(b"\n") + (not content.endswith(b"\n"))
    try:
        tokens = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{path.name} does not hold valid JSON") from error
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise _invalid(f"{path.name} is no list of tokens")
    return len(tokens)


def _invalid(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"The CTranslate2 directory is not a speech recogniser that can be used: {why}.",
        "Convert a Whisper model with ct2-transformers-converter and upload model.bin, config.json, the vocabulary, "
        "tokenizer.json and preprocessor_config.json.",
    )
