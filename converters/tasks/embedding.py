"""Text encoders: texts to calibrate with and to judge on, and retrieval as the judge."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.job import Converted, Job
from converters.original import Original, original
from converters.samples import uploaded, uploaded_text
from converters.samples.split import Part
from converters.samples.text import Texts, calibration_texts, held_out_texts, selection_texts
from converters.samples.uploaded import Uploaded
from converters.steps import batches
from converters.subject import Figure, Load, Model, Sample, Split
from converters.tasks.finish import Served, certified, finish
from registry.spec.certificate import Data
from registry.spec.embedder import Embedder
from registry.spec.embedding import TASK, compare, signature
from registry.spec.runtime import EmbeddingRuntime
from registry.spec.text import TextEncoder, Tokens

_PROBED = (
    "The god of the sea calms the waves with a shell.",
    "A hub answers many callers at once.",
    "",
    "Numbers like 3.14 and names like Zürich are read, too.",
)

MAX_BATCH = 64  # rows Triton may gather; the runtime caps a run by tokens on top of that

_PART = "model"
_SHAPES = ((1, 32), (8, 32), (8, 128))  # rows and tokens that latency is measured with
_LOSS_TEXTS = 48  # of the selection, to rank layers by: a second a layer


class EmbeddingSubject:
    """A text encoder under conversion. The original is run once over every text, and then let go."""

    def __init__(
        self, source: Original, settings: EmbeddingRuntime, tokenizer: Path, texts: Mapping[str, Texts]
    ) -> None:
        self._graph = source.graph
        self._settings = settings
        self._encoder = TextEncoder(tokenizer, settings.max_tokens)
        self._texts = texts
        self._references = {split: source.embed(texts[split].texts) for split in Split}
        source.close()

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """One graph, from ids to token vectors."""
        return {_PART: self._graph}

    @property
    def data(self) -> Mapping[str, Data]:
        """The three sets of texts."""
        return {name: texts.data() for name, texts in self._texts.items()}

    @property
    def loads(self) -> tuple[Load, ...]:
        """Rows of equal length; which tokens they have does not matter for the time."""
        return tuple(
            Load(f"{rows} × {tokens} tokens", (Sample(_PART, self._random(rows, tokens)),))
            for rows, tokens in _SHAPES
            if tokens <= self._settings.max_tokens
        )

    def calibration(self) -> Iterator[Sample]:
        """Batches without padding."""
        return self._samples(self._texts["calibration"].texts)

    def selection(self) -> Iterator[Sample]:
        """Sentences and passages alike."""
        texts = self._texts[Split.SELECTION].texts
        return self._samples(texts[:: max(1, len(texts) // _LOSS_TEXTS)])

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """How retrieval over the texts of `split` changes."""
        vectors, _ = Embedder(model[_PART], self._encoder, self._settings).embed(list(self._texts[split].texts))
        return figures(self._references[split], vectors)

    def _samples(self, texts: tuple[str, ...]) -> Iterator[Sample]:
        tokens = self._encoder.encode(list(texts))
        for rows in batches.by_length(tokens, slack=0):
            yield Sample(_PART, batches.feeds([tokens[row] for row in rows], self._settings.inputs))

    def _random(self, rows: int, tokens: int) -> dict[str, NDArray[np.int64]]:
        rng = np.random.default_rng(0)
        # Small ids exist in every vocabulary.
        texts = [Tokens(rng.integers(1, 20, tokens).tolist(), 0) for _ in range(rows)]
        return batches.feeds(texts, self._settings.inputs)


def figures(reference: NDArray[np.float32], vectors: NDArray[np.float32]) -> list[Figure]:
    """The criteria of vectors FP32 [texts, dimensions] against the original's, one value a text."""
    if not np.isfinite(vectors).all():
        vectors = np.zeros_like(vectors)  # vectors that are not numbers agree with nothing
    agreement = compare(reference, vectors)
    return [
        Figure("cosine", agreement.cosine),
        Figure("nearest_kept", agreement.nearest_kept),
        Figure("rank_correlation", np.nan_to_num(agreement.rank_correlation)),
    ]


def convert(job: Job) -> Converted:
    """Convert the encoder of `job` and decide what is published. Raises SourceInvalid or ConversionFailed."""
    job.reporter.step("samples", "collecting texts to calibrate with and to judge on", 0.02)
    texts = _texts(job)
    job.reporter.step("load", "opening the original model", 0.06)
    source = original(job)
    settings = _settings(job, source)
    count = sum(len(texts[split].texts) for split in Split)
    job.reporter.step("reference", f"reading {count} texts with the original in FP32", 0.2)
    subject = EmbeddingSubject(source, settings, job.request.source / "tokenizer.json", texts)
    found = certified(job, subject, TASK)
    shutil.copyfile(job.request.source / "tokenizer.json", job.model / "tokenizer.json")
    served = replace(settings, exact_x86=found.candidate.exact_x86, hardware_class=found.hardware_class)
    inputs = {"text": np.array([[text] for text in _PROBED], dtype=np.object_)}
    vectors, _ = Embedder.open(job.model, served, job.request.threads).embed(list(_PROBED))
    signed = signature(settings.dimensions)
    return finish(job, found, Served(served, signed, MAX_BATCH, inputs, {"embedding": vectors}))


def _texts(job: Job) -> dict[str, Texts]:
    """The owner's texts, for all three purposes where there are enough of them, else the built-in ones."""
    seed, own = job.request.seed, uploaded.find(job.request.source)
    if own is None:
        calibration = calibration_texts(seed)
    else:
        texts = uploaded_text.texts(own, seed)
        if texts.judges:
            return {part.value: _texts_of(texts.part(part)) for part in Part}
        calibration = _texts_of(texts)
    return {
        "calibration": calibration,
        Split.SELECTION: selection_texts(seed, calibration),
        Split.HELD_OUT: held_out_texts(seed, calibration),
    }


def _texts_of(owned: Uploaded[str]) -> Texts:
    return Texts(owned.items, owned.description)


def _settings(job: Job, source: Original) -> EmbeddingRuntime:
    text = job.facts.text
    assert text is not None, "the source of an embedding model is inspected as text"
    return EmbeddingRuntime(
        inputs=source.inputs,
        output=source.output,
        dimensions=source.dimensions,
        max_tokens=text.max_tokens,
        pooling=text.pooling,
        normalize=text.normalize,
        exact_x86=False,
    )
