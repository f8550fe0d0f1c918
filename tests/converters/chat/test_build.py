from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from converters.chat.build import build
from converters.chat.decoder import Decoder
from converters.chat.gguf_file import unpack
from converters.errors import ConversionFailed, SourceInvalid
from tests.converters.chat.decoders import write_gguf

TOKENS = np.arange(1, 40, dtype=np.int64)


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def torch_logits(directory: Path) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(directory)
    with torch.inference_mode():
        logits: np.ndarray = model(torch.from_numpy(TOKENS[None])).logits[0].numpy()
    return logits


@pytest.mark.parametrize("tied", [True, False])
def test_the_float_decoder_gives_the_logits_of_the_original(
    tied: bool, sources: dict[bool, Path], floating: dict[bool, Path]
) -> None:
    (logits,) = Decoder(floating[tied], 1).run(TOKENS, ["logits"])
    assert np.allclose(logits[0], torch_logits(sources[tied]), atol=1e-3)


def test_the_same_source_gives_the_same_bytes(
    sources: dict[bool, Path], floating: dict[bool, Path], tmp_path: Path
) -> None:
    build(sources[True], tmp_path / "again", tmp_path / "builder")
    assert digests(tmp_path / "again") == digests(floating[True])


def test_a_gguf_file_is_unpacked_to_the_weights_it_stands_for(sources: dict[bool, Path], tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", AutoModelForCausalLM.from_pretrained(sources[True]))
    (tmp_path / "unpacked").mkdir()
    unpack(tmp_path / "tiny.gguf", tmp_path / "unpacked")
    assert np.allclose(torch_logits(tmp_path / "unpacked"), torch_logits(sources[True]), atol=1e-4)


def test_a_gguf_file_without_one_of_its_weights_is_refused(sources: dict[bool, Path], tmp_path: Path) -> None:
    from tests.converters.chat import decoders

    model = AutoModelForCausalLM.from_pretrained(sources[True])
    complete = decoders._gguf_tensors
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            decoders, "_gguf_tensors", lambda m: {k: v for k, v in complete(m).items() if k != "blk.1.ffn_up.weight"}
        )
        write_gguf(tmp_path / "tiny.gguf", model)
    (tmp_path / "unpacked").mkdir()
    with pytest.raises(SourceInvalid, match=r"lacks 1 .*layers\.1\.mlp\.up_proj"):
        unpack(tmp_path / "tiny.gguf", tmp_path / "unpacked")


def test_an_architecture_that_cannot_be_built_is_refused_with_a_remedy(
    sources: dict[bool, Path], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in sources[True].iterdir():
        text = path.read_bytes()
        if path.name == "config.json":
            text = text.replace(b"LlamaForCausalLM", b"GPT2LMHeadModel")
        (source / path.name).write_bytes(text)
    with pytest.raises(ConversionFailed, match="Register a decoder"):
        build(source, tmp_path / "target", tmp_path / "builder")
