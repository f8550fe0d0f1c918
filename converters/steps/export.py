"""A Hugging Face encoder in torch: the FP32 original that a certificate is measured against, and its ONNX export."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch  # noqa: TID253  (only the child imports this module)
from numpy.typing import NDArray

from converters.errors import ConversionFailed, SourceInvalid
from converters.sources.onnx_file import TEXT_INPUTS
from converters.steps.graph import OPSET

OUTPUT = "token_vectors"  # `last_hidden_state` is a name the graph may use inside, and ONNX Runtime refuses it twice

_UNBUILDABLE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
_UNUSED_WEIGHTS = ("pooler.", "embeddings.position_ids")  # no token vector depends on them


class TorchEncoder:
    """The model in `source` as torch runs it. Nothing is fetched and no code of the source's is run."""

    def __init__(self, source: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self._model = _load(source)
        names = inspect.signature(self._model.forward).parameters
        known = _type_rows(self._model)
        self.inputs = tuple(n for n in TEXT_INPUTS if n in names and (n != "token_type_ids" or known > 0))

    def token_vectors(self, feeds: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Token vectors FP32 [rows, tokens, dimensions] for ids and masks INT64 [rows, tokens]."""
        with torch.inference_mode():
            hidden = self._model(**{name: torch.from_numpy(value) for name, value in feeds.items()}).last_hidden_state
        vectors: NDArray[np.float32] = hidden.numpy().astype(np.float32)
        return vectors

    def export(self, max_tokens: int) -> onnx.ModelProto:
        """The model as ONNX, opset 20, dynamic batch and sequence. Raises ConversionFailed where torch cannot."""
        wrapper = _TokenVectors(self._model).eval()
        ids = torch.arange(2, 2 + 2 * 9).reshape(2, 9) % 17 + 1
        mask = torch.ones_like(ids)
        mask[1, 6:] = 0
        samples = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        axes = {0: torch.export.Dim("batch", min=1, max=65536), 1: torch.export.Dim("sequence", min=1, max=max_tokens)}
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the exporter's own, about its internals
                program = torch.onnx.export(
                    wrapper,
                    kwargs={name: samples[name] for name in self.inputs},
                    dynamo=True,
                    opset_version=OPSET,
                    dynamic_shapes=dict.fromkeys(self.inputs, axes),
                    input_names=list(self.inputs),
                    output_names=[OUTPUT],
                    external_data=False,
                    verbose=False,
                )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ConversionFailed(
                "torch could not export the model to ONNX.", "Export it yourself and register the ONNX file."
            ) from error
        assert program is not None
        return program.model_proto


class _TokenVectors(torch.nn.Module):
    """The model with token vectors as its only output."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None) -> Any:
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.model(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state


def _load(source: Path) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoModel

    try:
        model, loading = AutoModel.from_pretrained(
            source,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            attn_implementation="eager",  # SDPA exports an IsNaN guard in every layer
            output_loading_info=True,
        )
    except (*_UNBUILDABLE, StrictDataclassError) as error:
        raise SourceInvalid(
            "transformers cannot build this model from its config.json and weights.",
            "Check that AutoModel.from_pretrained() opens it without remote code, or register an ONNX file.",
        ) from error
    absent = [key for key in loading["missing_keys"] if not key.startswith(_UNUSED_WEIGHTS)]
    if absent or loading["mismatched_keys"]:
        raise SourceInvalid(
            f"The weights do not belong to config.json: {len(absent)} tensors are missing or of another shape.",
            "Upload config.json and weights as save_pretrained() wrote them together.",
        )
    if getattr(model.config, "is_decoder", False) or getattr(model.config, "is_encoder_decoder", False):
        raise SourceInvalid("The model is not a text encoder.", "Register an encoder for the task embedding.")
    return model.eval()


def _type_rows(model: Any) -> int:
    return int(getattr(model.config, "type_vocab_size", 0) or 0)
