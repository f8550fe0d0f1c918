"""The original decoder as torch runs it in FP32: what every form of it is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.errors import ConversionFailed
from registry.spec.chat import Reading, read


def read_original(directory: Path, texts: Sequence[NDArray[np.int64]], threads: int) -> list[Reading]:
    """What the weights in the Hugging Face directory make of each of `texts`, tokens INT64 [length].

    No code of the directory's is run. Raises ConversionFailed where transformers does not open it, or where what it
    answers is not a number.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConversionFailed(
            "The transformers library cannot open the model, so that there is nothing to measure a conversion against.",
            "Register a decoder of the Llama, Mistral, Qwen, Gemma or Phi families.",
        ) from error
    model.eval()
    readings = []
    with torch.inference_mode():
        for tokens in texts:
            logits = model(input_ids=torch.from_numpy(tokens[None]), use_cache=False).logits[0]
            readings.append(read(logits.float().numpy(), tokens))
    if not all(np.isfinite(reading.surprise).all() for reading in readings):
        raise ConversionFailed(
            "The original answers logits that are not numbers.", "Check the weights: they do so in transformers, too."
        )
    return readings
