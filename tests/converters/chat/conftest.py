from __future__ import annotations

from pathlib import Path

import pytest

from converters.chat.build import build
from tests.converters.chat.decoders import write_huggingface


@pytest.fixture(scope="package")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Hugging Face directories of a decoder, by whether its head is tied to its embedding."""
    found = {tied: tmp_path_factory.mktemp("source") for tied in (True, False)}
    for tied, directory in found.items():
        write_huggingface(directory, tied=tied)
    return found


@pytest.fixture(scope="package")
def floating(sources: dict[bool, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The same decoders in FP32 for onnxruntime-genai."""
    found = {tied: tmp_path_factory.mktemp("float") for tied in sources}
    for tied, directory in found.items():
        build(sources[tied], directory, tmp_path_factory.mktemp("builder"))
    return found
