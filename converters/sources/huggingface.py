"""Inspection of a Hugging Face directory: config.json, *.safetensors and tokenizer.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import SourceInvalid
from converters.sources.facts import ChatFacts, Format, SourceFacts
from converters.sources.files import plain_files, read_object, whole
from converters.sources.safetensors import Tensor, read_tensors
from converters.sources.text_facts import check_tokenizer, read_text_facts
from registry.spec.embedding import TASK as EMBEDDING

_MOST_TOKENS = 2**24
_TEMPLATE_BYTES = 2**20
_TABLES = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight", "tok_embeddings.weight")
_LAYERS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer")
_WIDTHS = ("embedding_size", "hidden_size", "dim", "n_embd")  # the first that a configuration has is the table's


@dataclass(frozen=True)
class _Opened:
    config: dict[str, Any]
    kind: str
    tensors: Sequence[Tensor]


def inspect(source: Path) -> SourceFacts:
    """The facts of an encoder for the task `embedding`. Raises SourceInvalid for what cannot or must not be opened."""
    opened = _open(source)
    return _facts(source, opened, EMBEDDING.name).model_copy(update={"text": read_text_facts(source, opened.config)})


def inspect_chat(source: Path, task: str) -> SourceFacts:
    """The facts of a language model. Raises SourceInvalid for what cannot or must not be opened, and for encoders."""
    opened = _open(source)
    config = opened.config
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and len(names) == 1 else None
    if not isinstance(name, str) or not name.isidentifier() or not name.endswith("ForCausalLM"):
        raise SourceInvalid(
            "config.json does not name one architecture that ends with ForCausalLM.",
            "Register a decoder of text for the task chat, as save_pretrained() of AutoModelForCausalLM writes it.",
        )
    weights: Counter[str] = Counter()
    for tensor in opened.tensors:
        weights[tensor.dtype] += tensor.elements
    chat = ChatFacts(
        max_tokens=_number(config, "max_position_embeddings"),
        vocabulary=_number(config, "vocab_size"),
        layers=_number(config, next((field for field in _LAYERS if field in config), _LAYERS[0])),
        chat_template=_chat_template(source),
        weights=dict(weights),
    )
    return _facts(source, opened, task).model_copy(update={"architecture": name, "chat": chat})


def _open(source: Path) -> _Opened:
    config = read_object(source / "config.json")
    _refuse_code(config, "config.json")
    _refuse_code(read_object(source / "tokenizer_config.json", required=False), "tokenizer_config.json")
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind.replace("-", "_").isidentifier():
        raise SourceInvalid("config.json names no model_type.", "Upload the config.json that save_pretrained() writes.")
    shards = sorted(path for path in source.glob("*.safetensors") if path.is_file())
    if not shards:
        raise SourceInvalid(
            "The source has no *.safetensors file.",
            "Save the model with save_pretrained(safe_serialization=True); pickled weights (.bin, .pt) are not opened.",
        )
    _check_index(source, shards)
    tensors = read_tensors(shards)
    _check_plausible(config, len(tensors))
    check_tokenizer(source, config)
    _check_table(config, tensors)
    return _Opened(config, kind, tensors)


def _facts(source: Path, opened: _Opened, task: str) -> SourceFacts:
    return SourceFacts(
        format=Format.HUGGINGFACE,
        task=task,
        architecture=opened.kind,
        parameters=sum(tensor.elements for tensor in opened.tensors),
        size=sum(path.stat().st_size for path in plain_files(source)),
    )


def _refuse_code(config: dict[str, Any], name: str) -> None:
    if "auto_map" in config or config.get("trust_remote_code"):
        raise SourceInvalid(
            f"{name} wants Python code of its own to be run (auto_map), and Conch runs none.",
            "Export the model to ONNX yourself and register that.",
        )


def _check_index(source: Path, shards: list[Path]) -> None:
    """An index may only name shards that lie beside it."""
    index = read_object(source / "model.safetensors.index.json", required=False)
    names = index.get("weight_map", {})
    present = {shard.name for shard in shards}
    if not isinstance(names, dict) or any(not isinstance(n, str) or n not in present for n in names.values()):
        raise SourceInvalid(
            "model.safetensors.index.json names files that are not there.", "Upload all of the model's shards."
        )


def _check_plausible(config: dict[str, Any], tensors: int) -> None:
    """A configuration that claims more layers than there are tensors would only build a model to exhaust memory."""
    for field in _LAYERS:
        if field in config and whole(config[field], 0, tensors) is None:
            raise SourceInvalid(
                f"config.json has an impossible {field}: the weights have {tensors} tensors.",
                "Upload the config.json that belongs to the weights.",
            )


def _check_table(config: dict[str, Any], tensors: Sequence[Tensor]) -> None:
    """The table of token vectors has the rows and columns that the configuration says."""
    width = next((config[field] for field in _WIDTHS if field in config), None)
    for tensor in tensors:
        claimed = (config.get("vocab_size"), width)
        if not tensor.name.endswith(_TABLES) or None in claimed:
            continue
        if tensor.shape != claimed:
            raise SourceInvalid(
                f"The weights do not belong to config.json: their table of tokens is {list(tensor.shape)}, and "
                "vocab_size or the width there is another.",
                "Upload config.json and weights as save_pretrained() wrote them together.",
            )


def _number(config: dict[str, Any], field: str) -> int:
    number = whole(config.get(field), 1, _MOST_TOKENS)
    if number is None:
        raise SourceInvalid(
            f"config.json has no {field} that is a positive number.",
            "Upload the config.json that save_pretrained() writes.",
        )
    return number


def _chat_template(source: Path) -> str | None:
    """The Jinja source that transformers reads: a file of its own, or a field of tokenizer_config.json."""
    path = source / "chat_template.jinja"
    template: object = read_object(source / "tokenizer_config.json", required=False).get("chat_template")
    if path.is_file():
        with path.open("rb") as file:
            template = file.read(_TEMPLATE_BYTES + 1).decode(errors="replace")
    if isinstance(template, str) and len(template.encode(errors="replace")) > _TEMPLATE_BYTES:
        raise SourceInvalid("The chat template has more than 1 MB.", "Upload the model's own chat template.")
    return template if isinstance(template, str) else None
