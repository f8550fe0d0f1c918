"""The float decoder as ONNX for onnxruntime-genai, made by its own model builder in this process."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

import onnx

from converters.chat.weights import GRAPH
from converters.errors import ConversionFailed
from converters.sources.files import read_object


def build(source: Path, target: Path, scratch: Path) -> None:
    """Write the decoder in the Hugging Face directory `source` in FP32, with its configuration and tokenizer.

    Nothing is fetched, and no code of the source's is run. Raises ConversionFailed where the builder does not know the
    architecture.
    """
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    tied = bool(read_object(source / "config.json").get("tie_word_embeddings"))
    options = ["hf_token=false", "hf_remote=false", f"shared_embeddings={str(tied).lower()}"]
    place = (None, str(source), str(target), "fp32", "cpu", str(scratch))
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it talks, and stdout is not its to talk on
            create_model(*place, **parse_extra_options(*place, options))
    except (NotImplementedError, ValueError, KeyError, AttributeError) as error:
        raise ConversionFailed(
            "onnxruntime-genai cannot build this architecture.",
            "Register a decoder of the Llama, Mistral, Qwen, Gemma or Phi families.",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _make_repeatable(target / GRAPH)


def _make_repeatable(graph: Path) -> None:
    """Take out the Git commit of the directory that the builder lies in: the same source is to give the same bytes."""
    model = onnx.load(graph, load_external_data=False)
    model.producer_version = model.producer_version.partition("+")[0]
    onnx.save(model, graph)
