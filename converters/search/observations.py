"""The activations of all parts over the calibration samples, kept for an attempt that follows a kill."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.job import Job
from converters.steps.activations import Activation, observe
from converters.steps.graph import Graph
from converters.steps.products import find
from converters.subject import Subject


def observations(
    prepared: Mapping[str, onnx.ModelProto], subject: Subject, job: Job, scope: str
) -> dict[str, dict[str, Activation]]:
    """What the products of each part read, by part and value.

    `scope` is a digest of everything that they depend on; what was kept under another is not read.
    """
    return {name: _of_part(name, model, subject, job, scope) for name, model in prepared.items()}


def _of_part(name: str, model: onnx.ModelProto, subject: Subject, job: Job, scope: str) -> dict[str, Activation]:
    products = find(Graph(model))
    digest = hashlib.sha256(f"{scope} {name}".encode()).hexdigest()
    kept = job.cache / f"activations-{digest[:32]}.npz"
    if kept.exists():
        return _read(kept)
    samples = (sample.feeds for sample in subject.calibration() if sample.part == name)
    observed = observe(model, products, samples, job.request.threads, job.scratch("calibrate"))
    _write(kept, observed)
    return observed


def _write(path: Path, observed: Mapping[str, Activation]) -> None:
    """Whole or not at all: a kill leaves no half of it under its name."""
    unfinished = path.with_suffix(".unfinished.npz")
    arrays: dict[str, NDArray[Any]] = {}
    for index, (name, activation) in enumerate(observed.items()):
        arrays |= {f"{index}_name": np.array(name), f"{index}_low": activation.low, f"{index}_high": activation.high}
        arrays[f"{index}_rows"] = activation.rows
    np.savez(unfinished, count=np.array(len(observed)), **arrays)
    os.replace(unfinished, path)


def _read(path: Path) -> dict[str, Activation]:
    with np.load(path, allow_pickle=False) as kept:
        return {
            str(kept[f"{index}_name"]): Activation(kept[f"{index}_low"], kept[f"{index}_high"], kept[f"{index}_rows"])
            for index in range(int(kept["count"]))
        }
