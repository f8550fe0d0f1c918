"""The FP32 original that everything is measured against: torch for a Hugging Face source, the file itself for ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.errors import SourceInvalid
from converters.job import Job
from converters.sources import onnx_file
from converters.sources.facts import Format, TextFacts
from converters.sources.graphs import load_graphs
from converters.steps import batches, prepare
from converters.steps.run import EngineRefused, open_float, run
from registry.spec.embedding import normalize, pool
from registry.spec.text import TextEncoder, Tokens, pad

_SLACK = 8  # tokens of padding: the mask hides them, and 30 runs are quicker than 150

Run = Callable[[Mapping[str, NDArray[np.int64]]], NDArray[np.float32]]
"""Token vectors FP32 [rows, tokens, dimensions] for ids and masks INT64 [rows, tokens]."""


class Original:
    """The original as the owner would run it, and the float graph that stands for it."""

    def __init__(
        self,
        run: Run,
        graph: onnx.ModelProto,
        inputs: tuple[str, ...],
        output: str,
        encoder: TextEncoder,
        text: TextFacts,
    ) -> None:
        self._run: Run | None = run
        self._encoder = encoder
        self._text = text
        self.graph = graph
        self.inputs = inputs
        self.output = output
        self.dimensions = self._check()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors FP32 [texts, dimensions], pooled as they are served."""
        assert self._run is not None
        tokens = self._encoder.encode(list(texts))
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for rows in batches.by_length(tokens, slack=_SLACK):
            batch = [tokens[row] for row in rows]
            hidden = self._run(batches.feeds(batch, self.inputs))
            vectors[rows] = pool(hidden, pad(batch)[1], self._text.pooling)
        return normalize(vectors) if self._text.normalize else vectors

    def close(self) -> None:
        """Let go of the original's memory."""
        self._run = None

    def _check(self) -> int:
        """The dimensions of the vectors, found by the shortest text and the longest that the model claims to read."""
        assert self._run is not None
        (short,) = self._encoder.encode(["One short text."])
        longest = Tokens((short.ids * self._text.max_tokens)[: self._text.max_tokens], 0)
        shapes = [self._shape(short), self._shape(longest)]
        width = shapes[0][-1]
        if shapes != [(1, len(t.ids), width) for t in (short, longest)] or self._text.dimensions not in (None, width):
            raise SourceInvalid(
                "The model's output is not one vector per token.", "Its output must be [rows, tokens, dimensions]."
            )
        return width

    def _shape(self, tokens: Tokens) -> tuple[int, ...]:
        assert self._run is not None
        try:
            return self._run(batches.feeds([tokens], self.inputs)).shape
        except (EngineRefused, IndexError, RuntimeError) as error:
            raise SourceInvalid(
                f"The model cannot read a text of {len(tokens.ids)} tokens.",
                "Say its limit in sentence_bert_config.json (max_seq_length), and check that its tokenizer fits.",
            ) from error


def original(job: Job) -> Original:
    """Open the original of `job` and make its float graph. Raises SourceInvalid or ConversionFailed."""
    text = job.facts.text
    assert text is not None
    encoder = TextEncoder(job.request.source / "tokenizer.json", text.max_tokens)
    if job.facts.format is Format.HUGGINGFACE:
        return _from_torch(job, encoder, text)
    return _from_onnx(job, encoder, text)


def _from_torch(job: Job, encoder: TextEncoder, text: TextFacts) -> Original:
    from converters.steps.export import OUTPUT, TorchEncoder

    model = TorchEncoder(job.request.source, job.request.threads)
    job.reporter.step("export", "exporting the model to ONNX", 0.15)
    graph = prepare.clean(model.export(text.max_tokens))
    return Original(model.token_vectors, graph, model.inputs, OUTPUT, encoder, text)


def _from_onnx(job: Job, encoder: TextEncoder, text: TextFacts) -> Original:
    graph = prepare.clean(load_graphs(job.request.source, job.facts, job.request.threads)["model"])
    path = job.scratch("original") / "model.onnx"
    onnx.save(graph, path)
    try:
        session = open_float(path, job.request.threads)
    except EngineRefused as error:
        raise SourceInvalid(
            "ONNX Runtime does not open model.onnx.", "Check it with onnx.checker and onnxruntime, and export it again."
        ) from error
    inputs = tuple(value.name for value in session.get_inputs())
    output = onnx_file.token_vectors(graph)

    def token_vectors(feeds: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        return run(session, [output], feeds)[0]

    return Original(token_vectors, graph, inputs, output, encoder, text)
