"""Models as people log them, each flavour registered as a model of its name with the alias `best`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ONNX, TRANSFORMERS, PYTORCH = "onnx", "transformers", "pytorch"


@dataclass(frozen=True)
class Logged:
    """Where a flavour was logged: under its name by a run, as a logged model and as version 1 of a registered one."""

    flavour: str
    run_id: str
    model_id: str

    @property
    def references(self) -> dict[str, str]:
        """Every way to mean it, and what each resolves to."""
        return {
            f"models:/{self.flavour}/1": f"models:/{self.flavour}/1",
            f"models:/{self.flavour}@best": f"models:/{self.flavour}/1",
            f"models:/{self.model_id}": f"models:/{self.model_id}",
            f"runs:/{self.run_id}/{self.flavour}": f"models:/{self.model_id}",
        }


def log_models(tracking_uri: str) -> dict[str, Logged]:
    """Log a model of each flavour into the experiment `training`, with MLflow's own functions."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    logged = {}
    with _global(tracking_uri), warnings.catch_warnings(action="ignore"):  # those of log_model: not ours to answer for
        mlflow.set_experiment("training")
        with mlflow.start_run() as run:
            for flavour, log in ((ONNX, _log_onnx), (TRANSFORMERS, _log_transformers), (PYTORCH, _log_pytorch)):
                logged[flavour] = Logged(flavour, run.info.run_id, log())
                client.set_registered_model_alias(flavour, "best", "1")
    return logged


def onnx_model() -> onnx.ModelProto:
    """One product with a constant; 64 × 64, so that its weights may be kept outside."""
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32), "weights")
    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 64]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "weights"], ["y"])], "product", *([r] for r in rows))
    graph.initializer.append(weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@contextmanager
def _global(tracking_uri: str) -> Iterator[None]:
    """MLflow's log_model knows no client, only a global address."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def _log_onnx() -> str:
    import mlflow

    model = mlflow.onnx.log_model(
        onnx_model(), name=ONNX, registered_model_name=ONNX, pip_requirements=["onnx"], save_as_external_data=True
    )
    return str(model.model_id)


def _log_transformers() -> str:
    import mlflow
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = {
        word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "shell"])
    }
    tokenizer = BertTokenizerFast(vocab=vocabulary, model_max_length=32)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    model = mlflow.transformers.log_model(
        {"model": BertModel(config), "tokenizer": tokenizer},
        name=TRANSFORMERS,
        task="feature-extraction",
        registered_model_name=TRANSFORMERS,
        pip_requirements=["transformers"],
    )
    return str(model.model_id)


def _log_pytorch() -> str:
    import mlflow
    import torch

    model = mlflow.pytorch.log_model(
        torch.nn.Linear(4, 2),
        name=PYTORCH,
        registered_model_name=PYTORCH,
        pip_requirements=["torch"],
        serialization_format="pickle",
    )
    return str(model.model_id)


def write_model(directory: Path, mlmodel: str, files: dict[str, bytes]) -> Path:
    """A model's directory by hand, as a hostile or careless one may be."""
    directory.mkdir(parents=True)
    (directory / "MLmodel").write_text(mlmodel, "utf-8")
    for path, content in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return directory
