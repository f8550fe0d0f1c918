"""A GGUF file as a Hugging Face directory in FP32: its weights dequantized one at a time, its tokenizer, its config."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only the child imports this module)
from gguf import GGUFReader, dequantize
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: TID253
from transformers.modeling_gguf_pytorch_utils import (  # noqa: TID253
    TENSOR_PROCESSORS,
    TensorProcessor,
    get_gguf_hf_weights_map,
    load_gguf_checkpoint,
)

from converters.errors import SourceInvalid

_UNKNOWN = "Conch does not know this GGUF file's architecture."
_REMEDY = "Register the model's Hugging Face directory (config.json, *.safetensors, tokenizer.json) instead."


def unpack(path: Path, target: Path) -> None:
    """Write config, weights and tokenizer of the GGUF file `path` into the directory `target`. Raises SourceInvalid.

    Memory is bounded by the largest weight in FP32. What is quantized in the file comes out as the FP32 values that
    it stands for: they are the reference that everything else is measured against.
    """
    try:
        described = load_gguf_checkpoint(str(path))["config"]
        config = AutoConfig.for_model(**{**described, "_model_name_or_path": ""})
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    except (ValueError, KeyError, TypeError, NotImplementedError, IndexError) as error:
        raise SourceInvalid(_UNKNOWN, _REMEDY) from error
    config.architectures = [type(model).__name__]
    config.save_pretrained(target)
    tokenizer.save_pretrained(target)
    _write_safetensors(target / "model.safetensors", _parameters(model), _Weights(path, model, described))


def _parameters(model: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters by name; a head that is tied to the embedding is no parameter of its own."""
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


@dataclass(frozen=True)
class _Weights:
    """The weights in a GGUF file, under the names that transformers gives them."""

    path: Path
    model: Any
    described: dict[str, Any]

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        kind = TENSOR_PROCESSORS.get(self.described["model_type"], TensorProcessor)
        processor = kind(config=self.described)
        names = get_gguf_hf_weights_map(self.model, processor)
        for tensor in GGUFReader(str(self.path)).tensors:
            values = dequantize(tensor.data, tensor.tensor_type)
            result = processor.process(
                weights=values, name=tensor.name, tensor_key_mapping=names, parsed_parameters={"tensors": {}}
            )
            if result.name in names:
                yield names[result.name], np.asarray(result.weights, dtype=np.float32)


def _write_safetensors(path: Path, shapes: dict[str, tuple[int, ...]], weights: _Weights) -> None:
    """Write each weight to its place as it comes; the format is a header of JSON and then the values one by one."""
    header, places = _header(shapes)
    missing = set(places)
    with path.open("wb") as file:
        file.write(header)
        for name, values in weights:
            if values.shape != shapes.get(name):
                raise SourceInvalid(
                    f"The GGUF file's weights do not fit its own description ({name[:80]}).", "Convert the model again."
                )
            file.seek(len(header) + places[name])
            file.write(np.ascontiguousarray(values).data)
            missing.discard(name)
    if missing:
        raise SourceInvalid(
            f"The GGUF file lacks {len(missing)} of the model's weights, {min(missing)[:80]} among them.", _REMEDY
        )


def _header(shapes: dict[str, tuple[int, ...]]) -> tuple[bytes, dict[str, int]]:
    """The header, and where each weight goes after it."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    places = {}
    end = 0
    for name, shape in sorted(shapes.items()):
        places[name], end = end, end + 4 * int(np.prod(shape))
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [places[name], end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, places
