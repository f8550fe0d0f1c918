"""Hugging Face directories of language models, and weights of any that are no numbers or belong elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from converters.errors import SourceInvalid
from converters.sources import huggingface
from converters.sources.facts import Format


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A Llama with two layers of random weights, as save_pretrained() writes it."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    words = {"[UNK]": 0} | {f"word{i}": i for i in range(1, 60)}
    Tokenizer(models.WordLevel(words, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return tmp_path


def test_the_facts_of_a_language_model(llama: Path) -> None:
    facts = huggingface.inspect_chat(llama, "chat")
    assert (facts.format, facts.task, facts.architecture) == (Format.HUGGINGFACE, "chat", "LlamaForCausalLM")
    assert facts.chat is not None
    assert (facts.chat.max_tokens, facts.chat.vocabulary, facts.chat.layers) == (256, 64, 2)
    assert facts.chat.chat_template == "{{ messages }}"
    assert facts.chat.weights == {"F32": facts.parameters}
    (llama / "chat_template.jinja").write_text("{{ messages[0] }}")
    again = huggingface.inspect_chat(llama, "chat").chat
    assert again is not None
    assert again.chat_template == "{{ messages[0] }}"


def _grown(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def _config(source: Path, **fields: Any) -> None:
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | fields))


def _weight(source: Path, value: float, dtype: Any = np.float32) -> None:
    weights = load_file(source / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name] = weights[name].astype(dtype)
    weights[name][3, 4] = value
    save_file(weights, source / "model.safetensors")


CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an encoder": (lambda s: _config(s, architectures=["BertModel"]), "ends with ForCausalLM"),
    "no architecture": (lambda s: _config(s, architectures=None), "ends with ForCausalLM"),
    "an architecture that is code": (lambda s: _config(s, architectures=["os.system ForCausalLM"]), "ForCausalLM"),
    "code of its own": (lambda s: _config(s, auto_map={"AutoModelForCausalLM": "evil.Evil"}), "auto_map"),
    "no length": (lambda s: _config(s, max_position_embeddings=-1), "no max_position_embeddings"),
    "a vocabulary of another model": (lambda s: _config(s, vocab_size=32000), "do not belong to config.json"),
    "the width of another model": (lambda s: _config(s, hidden_size=4096), "do not belong to config.json"),
    "weights that are NaN": (lambda s: _weight(s, np.nan), r"are NaN: tensor \d+, of shape \[64, 32\]"),
    "weights that are infinite": (lambda s: _weight(s, np.inf), "are infinite"),
    "halves that are NaN": (lambda s: _weight(s, np.nan, np.float16), "are NaN"),
    "one tensor in two files": (
        lambda s: (s / "more.safetensors").write_bytes((s / "model.safetensors").read_bytes()),
        "another file has, too",
    ),
    "a chat template of 2 MB": (lambda s: (s / "chat_template.jinja").write_text("x" * 2**21), "more than 1 MB"),
    "a chat template of 65 MB": (lambda s: _grown(s / "chat_template.jinja", 65 * 1024**2), "more than 1 MB"),
    "a chat template of 2 MB in half as many letters": (
        lambda s: (s / "chat_template.jinja").write_text("я" * 2**20),
        "more than 1 MB",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_language_model_that_is_wrong_is_refused(case: str, llama: Path) -> None:
    damage, message = CASES[case]
    damage(llama)
    with pytest.raises(SourceInvalid, match=message) as error:
        huggingface.inspect_chat(llama, "chat")
    assert error.value.remedy
    assert str(llama) not in str(error.value)
