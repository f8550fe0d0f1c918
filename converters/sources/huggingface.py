"""Inspection of a Hugging Face directory: config.json, *.safetensors and tokenizer.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converters.errors import SourceInvalid
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import plain_files, read_object, whole
from converters.sources.safetensors import read_header
from converters.sources.text_facts import check_tokenizer, read_text_facts


def inspect(source: Path) -> SourceFacts:
    """The facts of an encoder for the task `embedding`. Raises SourceInvalid for what cannot or must not be opened."""
    config = read_object(source / "config.json")
    _refuse_code(config, "config.json")
    _refuse_code(read_object(source / "tokenizer_config.json", required=False), "tokenizer_config.json")
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind.replace("-", "_").isidentifier():
        raise SourceInvalid("config.json names no model_type.", "Upload the config.json that save_pretrained() writes.")
    shards = sorted(source.glob("*.safetensors"))
    if not shards:
        raise SourceInvalid(
            "The source has no *.safetensors file.",
            "Save the model with save_pretrained(safe_serialization=True); pickled weights (.bin, .pt) are not opened.",
        )
    _check_index(source, shards)
    tensors = [tensor for shard in shards for tensor in read_header(shard)]
    _check_plausible(config, len(tensors))
    check_tokenizer(source, config)
    return SourceFacts(
        format=Format.HUGGINGFACE,
        task="embedding",
        architecture=kind,
        parameters=sum(tensor.elements for tensor in tensors),
        size=sum(path.stat().st_size for path in plain_files(source)),
        text=read_text_facts(source, config),
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
    for field in ("num_hidden_layers", "n_layers", "num_layers"):
        if field in config and whole(config[field], 0, tensors) is None:
            raise SourceInvalid(
                f"config.json has an impossible {field}: the weights have {tensors} tensors.",
                "Upload the config.json that belongs to the weights.",
            )
