"""The pages of the tasks, and the models that they register."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from converters.samples.lines import pages
from converters.samples.photographs import scenes
from converters.samples.speech import recordings
from converters.samples.split import Part
from tests.docs.blocks import Block, blocks
from tests.hub.stack import Stack
from tests.triton_repo.tasks import package

_PAGES = Path(__file__).parents[4] / "docs" / "tasks"
_ROOT = Path(__file__).parents[4]


@dataclass(frozen=True)
class TaskPage:
    """A page, and the directory in which its reader pastes what it says."""

    name: str
    directory: Path

    @property
    def blocks(self) -> list[Block]:
        """Its blocks of code in order."""
        return blocks((_PAGES / f"{self.name}.md").read_text("utf-8"))

    def paste(self, language: str) -> str:
        """Run the only block in `language`; what it prints."""
        [code] = [block.text for block in self.blocks if block.language == language]
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euc", code]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def page(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TaskPage]:
    """The page of a task, its model registered as it says, once for all tests."""
    made: dict[str, TaskPage] = {}

    def registered(name: str) -> TaskPage:
        if name not in made:
            directory = tmp_path_factory.mktemp(name)
            (directory / "data").symlink_to(stack.data)
            _PREPARE[name](directory)
            page = TaskPage(name, directory)
            assert page.paste("python").strip() == "published"
            made[name] = page
        return made[name]

    return registered


def _detection(directory: Path) -> None:
    _model(directory / "detector", {package("nudenet") / "320n.onnx": "model.onnx"})
    (directory / "photo.jpg").write_bytes(scenes(Part.SELECTION, 0, 1).files[0])


def _ocr(directory: Path) -> None:
    models = package("rapidocr_onnxruntime") / "models"
    names = {"det": "ch_PP-OCRv4_det", "rec": "ch_PP-OCRv4_rec", "cls": "ch_ppocr_mobile_v2.0_cls"}
    _model(directory / "reader", {models / f"{name}_infer.onnx": f"{part}.onnx" for part, name in names.items()})
    (directory / "page.jpg").write_bytes(pages(Part.SELECTION, 0, 1).files[0])


def _voice_activity(directory: Path) -> None:
    graph = package("silero_vad") / "data" / "silero_vad_16k_sequence.onnx"
    _model(directory / "voices", {graph: "model.onnx"})
    soundfile.write(directory / "recording.flac", recordings("selection", 0, 1).audio[0], 16_000)


def _classification(directory: Path) -> None:
    source = package("magika") / "models" / "standard_v3_3"
    _model(directory / "contents", {source / name: name for name in ("model.onnx", "config.min.json")})
    shutil.copyfile(__file__, directory / "program")


_PREPARE = {
    "classification": _classification,
    "detection": _detection,
    "ocr": _ocr,
    "voice-activity": _voice_activity,
}


def _model(directory: Path, files: dict[Path, str]) -> None:
    directory.mkdir()
    for source, name in files.items():
        shutil.copyfile(source, directory / name)
