"""The task `chat`: messages in, a message out, billed by the token; and how two decoders are compared.

Signature: input `messages` BYTES [1], a JSON list of `{"role", "content"}`, output `message` BYTES [1], the text that
was written, both behind one batch dimension. A decoder is judged on texts that it reads and does not write: at every
token, how likely it found the one that follows (perplexity), and which it would have written itself (top-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="chat",
    title="Chat",
    input=Modality.TEXT,
    output=Modality.TEXT,
    units=(
        Unit("input_tokens", billed=True, meaning="tokens the model read, those of its chat template included"),
        Unit("output_tokens", billed=True, meaning="tokens the model wrote"),
    ),
    criteria=(
        Criterion(
            "perplexity_ratio",
            "perplexity on prose, divided by FP32's: exp of the mean loss of likelihood, in nats a token",
            1.02,
            higher_is_better=False,
        ),
        Criterion("top1_agreement", "share of tokens where the likeliest next token is FP32's", 0.95),
    ),
)


def signature() -> Signature:
    """The public signature of every chat model."""
    return Signature(
        inputs=(TensorSpec("messages", DataType.BYTES, (1,)),),
        outputs=(TensorSpec("message", DataType.BYTES, (1,)),),
    )


@dataclass(frozen=True)
class Reading:
    """What a decoder made of one text: for each token but the first.

    `surprise` FP64 [tokens] is the negative logarithm of the probability it gave the token, `first` INT64 [tokens] the
    token it found likeliest there. A decoder whose logits are not numbers is surprised without bound.
    """

    surprise: NDArray[np.float64]
    first: NDArray[np.int64]


def read(logits: NDArray[np.float32], tokens: NDArray[np.int64]) -> Reading:
    """The reading of `tokens` [length] by a decoder that gave `logits` FP32 [length, vocabulary] for them."""
    before, after = logits[:-1], tokens[1:]
    highest = before.max(axis=1, keepdims=True)
    total = np.log(np.exp(before - highest).sum(axis=1, dtype=np.float64))
    surprise = total + highest[:, 0] - np.take_along_axis(before, after[:, None], axis=1)[:, 0]
    return Reading(np.where(np.isfinite(surprise), surprise, np.inf), before.argmax(axis=1).astype(np.int64))


@dataclass(frozen=True)
class Agreement:
    """How a candidate's readings stand to the original's, FP64 [texts] each, to be weighted by `tokens` [texts].

    `loss` is the mean difference of surprise in nats a token: the perplexity's ratio is exp of its weighted mean.
    `top1` is the share of the tokens where both found the same token likeliest.
    """

    loss: NDArray[np.float64]
    top1: NDArray[np.float64]
    tokens: NDArray[np.float64]


def compare(reference: Sequence[Reading], candidate: Sequence[Reading]) -> Agreement:
    """Judge the `candidate` against the `reference` on the same texts, of two tokens each or more."""
    if len(reference) != len(candidate) or not reference:
        raise ValueError(f"readings of the same texts are needed, not of {len(reference)} and {len(candidate)}")
    pairs = list(zip(reference, candidate, strict=True))
    return Agreement(
        loss=np.array([float(np.mean(other.surprise - one.surprise)) for one, other in pairs]),
        top1=np.array([float(np.mean(one.first == other.first)) for one, other in pairs]),
        tokens=np.array([float(len(one.first)) for one, _ in pairs]),
    )
