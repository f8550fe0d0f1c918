"""The built-in texts: calibration from Python's standard library, judgement from installed packages.

Apart by source, by seed and by sentence. Passages of up to 200 words are among both, because the ranges of a model's
activations depend on the length of its input.
"""

from __future__ import annotations

import hashlib
import importlib.util
import random
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from converters.samples.prose import paragraphs
from registry.spec.certificate import Data

# What the extra `convert` always brings; each text is of one package, and each package is in one set.
_HELD_OUT_PACKAGES = ("numpy", "networkx", "jinja2")
_SELECTION_PACKAGES = ("torch", "huggingface_hub", "mpmath", "fsspec")
_PASSAGE_WORDS = (40, 80, 120, 200)


@dataclass(frozen=True)
class Texts:
    """Texts and where they come from."""

    texts: tuple[str, ...]
    description: str

    def data(self) -> Data:
        """As the certificate names them."""
        digest = hashlib.sha256("\n".join(self.texts).encode()).hexdigest()
        return Data(description=self.description, samples=len(self.texts), sha256=digest)


def calibration_texts(seed: int, sentences: int = 192, passages: int = 64) -> Texts:
    """Texts out of the standard library's docstrings."""
    blocks = list(paragraphs(Path(sysconfig.get_path("stdlib")), seed))
    texts = _sample(blocks, _rng("calibration", seed), sentences, passages)
    return Texts(tuple(texts), "English prose: sentences and passages from the docstrings of Python's standard library")


def selection_texts(seed: int, without: Texts, sentences: int = 512, passages: int = 24) -> Texts:
    """Texts to choose by, out of the docstrings of packages that neither calibration nor judgement reads."""
    return _package_texts("selection", _SELECTION_PACKAGES, seed, without, sentences, passages)


def held_out_texts(seed: int, without: Texts, sentences: int = 512, passages: int = 64) -> Texts:
    """Texts out of the docstrings of installed packages; a sentence that `without` contains does not appear."""
    return _package_texts("held out", _HELD_OUT_PACKAGES, seed, without, sentences, passages)


def _package_texts(
    purpose: str, packages: tuple[str, ...], seed: int, without: Texts, sentences: int, passages: int
) -> Texts:
    found = [name for name in packages if importlib.util.find_spec(name) is not None]
    seen = "\n".join(without.texts)
    blocks = [
        block
        for name in found
        for block in paragraphs(_package_directory(name), seed)
        if not any(sentence in seen for sentence in block)
    ]
    texts = _sample(blocks, _rng(purpose, seed), sentences, passages)
    source = ", ".join(found)
    return Texts(tuple(texts), f"English prose: sentences and passages from the docstrings of {source}")


def _sample(blocks: list[list[str]], rng: random.Random, sentences: int, passages: int) -> list[str]:
    """Sentences stratified by length, then passages of blocks that gave no sentence; no sentence appears twice."""
    rng.shuffle(blocks)
    unique = _first_occurrences(blocks)
    middle = len(unique) // 2
    chosen = _stratified([sentence for block in unique[:middle] for sentence in block], rng, sentences)
    return chosen + _passages([sentence for block in unique[middle:] for sentence in block], passages)


def _first_occurrences(blocks: Iterable[list[str]]) -> list[list[str]]:
    seen: set[str] = set()
    unique = []
    for block in blocks:
        fresh = [s for s in dict.fromkeys(block) if s.lower() not in seen]
        seen.update(s.lower() for s in fresh)
        if fresh:
            unique.append(fresh)
    return unique


def _stratified(pool: list[str], rng: random.Random, count: int) -> list[str]:
    """As many of the shortest, the middle and the longest third of `pool`."""
    ordered = sorted(pool, key=lambda text: (len(text.split()), text))
    chosen: list[str] = []
    for third in range(3):
        stratum = ordered[len(ordered) * third // 3 : len(ordered) * (third + 1) // 3]
        wanted = count * (third + 1) // 3 - count * third // 3
        chosen += rng.sample(stratum, min(wanted, len(stratum)))
    return chosen


def _passages(sentences: list[str], count: int) -> list[str]:
    """`count` texts of 40, 80, 120 and 200 words in turn, each of sentences that follow one another."""
    passages: list[str] = []
    words: list[str] = []
    for sentence in sentences:
        words += sentence.split()
        if len(words) >= _PASSAGE_WORDS[len(passages) % len(_PASSAGE_WORDS)]:
            passages.append(" ".join(words))
            words = []
            if len(passages) == count:
                break
    return passages


def _rng(purpose: str, seed: int) -> random.Random:
    return random.Random(f"{purpose} {seed}")  # noqa: S311  (repeatable, and no secret)


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
