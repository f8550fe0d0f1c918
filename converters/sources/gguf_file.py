"""Inspection of a GGUF file for the task `chat`: its header, what the tokenizer and the layers say, finite scales."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import SourceInvalid
from converters.sources.facts import ChatFacts, Format, SourceFacts
from converters.sources.files import plain_files, whole
from converters.sources.finite import from_bfloat16, not_finite, what_is_wrong
from converters.sources.gguf_header import BLOCKS, Header, Tensor, read_header, read_tensor

TABLE = "token_embd.weight"

_MOST_TOKENS = 2**24
_MOST_TEMPLATE = 2**20
_LAYER = re.compile(r"blk\.(\d{1,6})\.")
_DENSE: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_SCALES = {
    **dict.fromkeys(("Q4_0", "Q5_0", "Q8_0", "IQ4_NL", "IQ4_XS"), slice(0, 2)),
    **dict.fromkeys(("Q4_1", "Q5_1", "Q4_K", "Q5_K"), slice(0, 4)),
    **dict.fromkeys(("Q3_K", "Q6_K"), slice(-2, None)),
    "Q2_K": slice(-4, None),
}
"""Where a block has its FP16 scales, among its bytes (ggml/src/ggml-common.h)."""


def inspect(source: Path, path: Path, task: str) -> SourceFacts:
    """The facts of the language model `path` in `source`. Raises SourceInvalid for what is not one, or is damaged."""
    header = read_header(path)
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture.replace("-", "_").isidentifier():
        raise _invalid("it names no architecture")
    if "split.count" in header.metadata and header.metadata["split.count"] != 1:
        raise _invalid("it is one part of a split model")
    chat = _chat_facts(header, architecture)
    for position, tensor in enumerate(header.tensors.values()):
        _check_finite(path, tensor, position)
    return SourceFacts(
        format=Format.GGUF,
        task=task,
        architecture=architecture,
        parameters=sum(chat.weights.values()),
        size=sum(file.stat().st_size for file in plain_files(source)),
        files={"model": path.name},
        chat=chat,
    )


def _chat_facts(header: Header, architecture: str) -> ChatFacts:
    layers = _number(header, f"{architecture}.block_count")
    width = _number(header, f"{architecture}.embedding_length")
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, tuple) or not all(isinstance(token, str) for token in tokens):
        raise _invalid("it has no tokenizer")
    table = header.tensors.get(TABLE)
    if table is None or table.shape != (len(tokens), width):
        raise _invalid(f"its table of tokens is not {len(tokens)} × {width}, as its tokenizer and its width say")
    numbers = {int(found[1]) for name in header.tensors if (found := _LAYER.match(name))}
    if len(numbers) != layers or max(numbers) != layers - 1:
        raise _invalid(f"it says that it has {layers} layers, and has tensors of {len(numbers)}")
    template = header.metadata.get("tokenizer.chat_template")
    if isinstance(template, str) and len(template) > _MOST_TEMPLATE:
        raise _invalid("its chat template has more than 1 MB")
    weights: Counter[str] = Counter()
    for tensor in header.tensors.values():
        weights[tensor.datatype] += tensor.elements
    return ChatFacts(
        max_tokens=_number(header, f"{architecture}.context_length"),
        vocabulary=len(tokens),
        layers=layers,
        chat_template=template if isinstance(template, str) else None,
        weights=dict(weights),
    )


def _check_finite(path: Path, tensor: Tensor, position: int) -> None:
    """Weights as they are stored, or the scales that quantized ones are multiplied with."""
    rows = read_tensor(path, tensor)
    if tensor.datatype in _DENSE:
        values = rows.reshape(-1).view(_DENSE[tensor.datatype])
        wrong = what_is_wrong(from_bfloat16(values) if tensor.datatype == "BF16" else values)
    else:
        blocks = rows.reshape(-1, BLOCKS[tensor.kind][2])
        scales = np.ascontiguousarray(blocks[:, _SCALES[tensor.datatype]]).view("<f2")
        wrong = None if np.isfinite(scales).all() else "NaN or infinite"
    if wrong:
        raise not_finite(path.name, wrong, position, tensor.shape)


def _number(header: Header, key: str) -> int:
    number = whole(header.metadata.get(key), 1, _MOST_TOKENS)
    if number is None:
        raise _invalid(f"it has no {key[:60]} that is a positive number")
    return number


def _invalid(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"The GGUF file is not a language model that can be used: {why}.",
        "Upload one whole file with its tokenizer, as llama.cpp's convert_hf_to_gguf.py writes it "
        "(llama-gguf-split --merge puts parts together).",
    )
