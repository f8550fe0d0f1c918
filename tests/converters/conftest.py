"""Small real models: a BERT with random weights and graphs of a few nodes."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from converters.child import convert
from converters.progress import Progress
from converters.report import ConversionReport
from converters.request import ConversionRequest
from registry.spec.certificate import Precision
from tests.converters.given import LENIENT, LIMITS, no_progress


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face directory, wide enough that INT8 pays and small enough to convert in seconds."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    directory = tmp_path_factory.mktemp("tiny") / "bert"
    torch.manual_seed(1)
    letters = [chr(code) for code in range(97, 123)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), "the", "of", "a"]
    config = BertConfig(
        vocab_size=1200,
        hidden_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=1024,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(directory)
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    return directory


@pytest.fixture
def bert_copy(tiny_bert: Path, tmp_path: Path) -> Path:
    """The tiny BERT, to be damaged."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "source"))


@pytest.fixture(scope="session")
def converted(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ConversionReport, list[Progress]]:
    """The tiny BERT in INT8, and what was said on the way."""
    said: list[Progress] = []

    async def listen(progress: Progress) -> None:
        said.append(progress)

    request = ConversionRequest(source=tiny_bert, task="embedding", budget=LENIENT)
    output = tmp_path_factory.mktemp("int8") / "output"
    return asyncio.run(convert(request, output, LIMITS, listen)), said


@pytest.fixture(scope="session")
def converted_float(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> ConversionReport:
    """The tiny BERT in float, as asked for."""
    request = ConversionRequest(source=tiny_bert, task="embedding", precision=Precision.FLOAT32)
    output = tmp_path_factory.mktemp("float") / "output"
    return asyncio.run(convert(request, output, LIMITS, no_progress))


@pytest.fixture
def onnx_source(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    """Writes a graph as a source directory."""

    def write(model: onnx.ModelProto) -> Path:
        directory = tmp_path / "source"
        directory.mkdir(exist_ok=True)
        onnx.save(model, directory / "model.onnx")
        return directory

    return write
