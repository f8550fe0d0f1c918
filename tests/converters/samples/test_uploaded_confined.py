"""Calibration data is read in the child: the libraries that decode it do so within its walls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from tests.converters.samples.owners import lines_of, npz, picture, sound, zip_of

_PROGRAM = """
import json, os, sys
from pathlib import Path
from converters.request import Limits
from converters.sandbox import confine

source, output = map(Path, sys.argv[1:])
confine(Limits(60, 2**31), os.getppid(), source, [output])

from converters.samples.uploaded_audio import audio
from converters.samples.uploaded_images import images
from converters.samples.uploaded_tensors import tensors
from converters.samples.uploaded_text import texts
from registry.spec.signature import DataType, Signature, TensorSpec

signature = Signature((TensorSpec("x", DataType.FP32, (2,)),), ())
read = [
    *(texts(path) for path in sorted(source.glob("texts/*"))),
    images(source / "images/calibration.zip"),
    audio(source / "audio/calibration.zip", 16_000),
    tensors(source / "tensors/calibration.zip", signature),
]
print(json.dumps([found.data().samples for found in read]))
"""


def test_every_kind_is_read_within_the_walls_of_the_child(tmp_path: Path) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    for kind in ("texts", "images", "audio", "tensors"):
        (source / kind).mkdir(parents=True)
    output.mkdir()
    lines_of(source / "texts" / "calibration.jsonl", [{"text": "a shell"}, {"text": "a wave"}])
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"]}), source / "texts" / "calibration.parquet")
    zip_of(
        source / "images" / "calibration.zip",
        {kind: picture(number, kind) for number, kind in enumerate(("PNG", "JPEG", "WEBP", "BMP"))},
    )
    tone = np.sin(np.arange(4800) / 10)
    formats = {"WAV": None, "FLAC": None, "OGG": "VORBIS"}
    zip_of(
        source / "audio" / "calibration.zip",
        {kind: sound(tone, 48_000, kind, subtype) for kind, subtype in formats.items()},
    )
    zip_of(source / "tensors" / "calibration.zip", {"a.npz": npz(x=np.arange(10.0).reshape(5, 2))})
    process = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(source), str(output)], capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == [2, 2, 4, 3, 5]
