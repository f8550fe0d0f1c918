"""Texts that neither a calibration, nor a choice, nor a certificate has seen."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

from converters.samples.prose import paragraphs

_PACKAGES = ("scipy", "sqlalchemy", "sklearn")
_COUNT = 500


def unseen_texts() -> list[str]:
    """500 different sentences of documentation."""
    sentences: dict[str, None] = {}
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        for paragraph in paragraphs(Path(spec.origin).parent, 0):
            sentences.update(dict.fromkeys(paragraph))
    return random.Random(0).sample(sorted(sentences), _COUNT)
