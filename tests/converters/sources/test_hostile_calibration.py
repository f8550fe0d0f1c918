"""Calibration data that means harm: bombs, lies and climbing names, in the archive and in what it holds."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pyarrow
import pyarrow.parquet
import pytest

from converters.samples.uploaded_audio import audio
from converters.samples.uploaded_images import images
from converters.samples.uploaded_tensors import tensors
from converters.samples.uploaded_text import texts
from tests.converters.given import linear
from tests.converters.samples.owners import ONE_INPUT, npy, npz, picture, sound, zip_of, zipped
from tests.converters.sources.hostile import fails, refused_by

READERS: dict[str, Callable[[Path], object]] = {
    "texts": texts,
    "images": images,
    "audio": lambda path: audio(path, 16_000),
    "tensors": lambda path: tensors(path, ONE_INPUT),
}


def _png(width: int, height: int) -> bytes:
    """A header that claims a size, and almost nothing behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def _overlapping() -> bytes:
    """One megabyte of zeros that 200 entries share (https://www.bamsoftware.com/hacks/zipbomb)."""
    first = zipped({"0": bytes(10**6)})
    begin = first.index(b"PK\x01\x02")
    record = first[begin : first.index(b"PK\x05\x06")]
    directory = b"".join(record[:-1] + bytes([48 + number % 10]) for number in range(200))
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 200, 200, len(directory), begin, 0)
    return first[:begin] + directory + end


def _many_entries() -> bytes:
    """A directory of 600,000 entries, which zipfile would make an object of each."""
    record = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *[0] * 16)
    directory = record * 600_000
    return directory + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0)


def _claimed(archive: bytes, size: int) -> bytes:
    """The directory says that the first entry unpacks to `size` bytes."""
    place = archive.index(b"PK\x01\x02") + 24
    return archive[:place] + struct.pack("<I", size) + archive[place + 4 :]


def _placed(archive: bytes, offset: int) -> bytes:
    """The directory says that the first entry begins at `offset`."""
    place = archive.index(b"PK\x01\x02") + 42
    return archive[:place] + struct.pack("<I", offset) + archive[place + 4 :]


def _misnamed() -> bytes:
    """UTF-8 in the directory, and before the content a name that is none."""
    content = bytearray(zipped({"ä.png": picture(1)}))
    content[30:32] = b"\xff\xff"
    return bytes(content)


def _encrypted() -> bytes:
    content = bytearray(zipped({"a.png": picture(1)}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _lying_array(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16)


def _two_pictures_and(**files: bytes) -> bytes:
    return zipped({"a.png": picture(1), "b.png": picture(2), **files})


ARCHIVES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a file that unpacks a thousandfold": ("images", lambda: zipped({"a.png": bytes(10**8)}), "unpacks to 100,000,000"),
    "a file of 300 MB": (
        "tensors",
        lambda: _claimed(zipped({"x.npy": np.random.default_rng(0).bytes(2 * 10**6)}), 300_000_000),
        "unpacks to 300,000,000",
    ),
    "entries that share their data": ("images", _overlapping, "damaged|none of the formats|unpacks"),
    "600,000 entries": ("images", _many_entries, "too many files"),
    "a size that is a lie": ("tensors", lambda: _claimed(zipped({"x.npy": npy(np.zeros(125_000))}), 10), "damaged"),
    "a password": ("images", _encrypted, "password"),
    "a compression that is a virus scanner's despair": (
        "images",
        lambda: zipped({"a.png": picture(1)}, zipfile.ZIP_LZMA),
        "compression that is not read",
    ),
    "a zip in a zip": ("images", lambda: _two_pictures_and(**{"more.zip": zipped({"a": b"1"})}), "which is an archive"),
    "a zip in a zip in a zip": (
        "tensors",
        lambda: zipped({"a.npz": zipped({"x.npy": zipped({"x.npy": npy(np.ones(2))})})}),
        "which is an archive",
    ),
    "a bomb in an .npz": ("tensors", lambda: zipped({"a.npz": zipped({"x.npy": bytes(10**8)})}), "unpacks to 100,000"),
    "a link": ("images", lambda: _two_pictures_and(link=b"/etc/passwd"), "'link', which is none of the formats"),
    "an executable": ("images", lambda: _two_pictures_and(run=b"\x7fELF" + bytes(100)), "none of the formats"),
    "half an archive": ("images", lambda: zipped({"a.png": picture(1)})[:-40], "not a zip"),
    "an entry without a name": (
        "images",
        lambda: zipped({"nameless": picture(1)}).replace(b"nameless", b"\0ameless"),
        "holds no images",
    ),
    "a name that is not in its encoding": ("images", _misnamed, "damaged"),
    "an entry beyond the end": ("images", lambda: _placed(zipped({"a.png": picture(1)}), 2**32 - 2), "damaged"),
    "an entry before the beginning": ("images", lambda: zipped({"a.png": picture(1)})[20:], "damaged"),
    "no archive": ("audio", lambda: b"PK, or so", "not a zip"),
    "an empty archive": ("audio", lambda: zipped({}), "holds no audio clips"),
    "directories only": ("images", lambda: zipped({"a/": b"", "a/b/": b""}), "holds no images"),
    "audio for images": ("images", lambda: zipped({"a.png": sound(np.zeros(99))}), "which is audio"),
    "images for audio": ("audio", lambda: zipped({"a.wav": picture(1)}), "which is an image"),
    "images for tensors": ("tensors", lambda: zipped({"a.npy": picture(1)}), "which is an image"),
    "ten thousand million pixels": ("images", lambda: zipped({"a.png": _png(100_000, 100_000)}), "larger than"),
    "sixty million pixels": ("images", lambda: zipped({"a.png": _png(60_000, 1000)}), "larger than"),
    "2^31 pixels in one row": ("images", lambda: zipped({"a.png": _png(2**31 - 1, 1)}), "larger than"),
    "pixels that are not there": ("images", lambda: zipped({"a.png": _png(1000, 1000)}), "damaged"),
    "an hour of silence in a few bytes": (
        "audio",
        lambda: zipped({"a.flac": sound(np.zeros(8000 * 3600, np.int16), 8000, "FLAC")}),
        "too long",
    ),
    "an array of terabytes": ("tensors", lambda: zipped({"x.npy": _lying_array("(1099511627776, 4)")}), "damaged"),
    "an array of negative size": ("tensors", lambda: zipped({"x.npy": _lying_array("(-2, -2)")}), "damaged"),
    "an array of 2^126": ("tensors", lambda: zipped({"x.npy": _lying_array(f"({2**63}, {2**63})")}), "damaged"),
    "an array with a program for a shape": (
        "tensors",
        lambda: zipped({"x.npy": _lying_array("__import__('os').abort()")}),
        "damaged",
    ),
    "NaN": ("tensors", lambda: zipped({"a.npz": npz(x=np.full((2, 2), np.nan))}), "holds NaN"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_means_harm_is_refused(case: str, tmp_path: Path) -> None:
    kind, make, message = ARCHIVES[case]
    source = tmp_path / "source"
    source.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of names that appear twice
        (source / "calibration.zip").write_bytes(make())
    refused_by(lambda: READERS[kind](source / "calibration.zip"), source, message)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("name", ["../../escaped.png", "/tmp/escaped.png", "..\\escaped.png", "a/../../escaped.png"])
def test_a_name_that_climbs_out_leads_nowhere(name: str, tmp_path: Path) -> None:
    """The image is read, from memory; its name is only ever shown, and then the last part of it."""
    source = tmp_path / "deep" / "source"
    source.mkdir(parents=True)
    path = zip_of(source / "calibration.zip", {name: picture(1), "../b.png": b"no image"})
    refused_by(lambda: images(path), source, r"holds 'b\.png'")
    assert images(zip_of(path, {name: picture(1)})).data().samples == 1
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == [
        "deep",
        "deep/source",
        "deep/source/calibration.zip",
    ]
    assert not Path("/tmp/escaped.png").exists()


@pytest.mark.parametrize("name", ["a\x1b[31m", "n" * 3000, "\u202egnp.a", ""])
def test_a_name_that_is_no_name_is_not_shown(name: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    path = zip_of(tmp_path / "source" / "calibration.zip", {"x/" + name if name else "x": b"no image"})
    error = refused_by(lambda: images(path), path.parent, "holds '(a file|x)', which is none")
    assert error.message.isprintable()


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "parquet", "zip"])
@pytest.mark.parametrize(("size", "message"), [(0, "empty or larger"), (1024**4, "empty or larger")])
def test_nothing_and_a_terabyte_of_nothing_are_refused_unread(
    suffix: str, size: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / f"calibration.{suffix}"
    with path.open("wb") as file:
        file.truncate(size)
    read = images if suffix == "zip" else texts
    refused_by(lambda: read(path), path.parent, message, seconds=1)


@pytest.mark.parametrize("task", READERS)
def test_a_file_of_another_task_is_refused_with_the_names_that_are_read(task: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / ("calibration.zip" if task == "texts" else "calibration.txt")
    path.write_bytes(b"a shell\n")
    error = refused_by(lambda: READERS[task](path), path.parent, "not what this task calibrates with")
    assert "calibration." in error.remedy


LINES: dict[str, tuple[bytes, str]] = {
    "arrays 100,000 deep": (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no valid JSON"),
    "a number of a million digits": (b'{"x": ' + b"9" * 10**6 + b"}", "no valid JSON"),
    "NaN": (b'{"x": [[NaN], [1]]}', "no valid JSON"),
    "infinity in disguise": (b'{"x": [[1e999], [1]]}', "infinity"),
    "33 MB in one line": (b'{"x": [' + b"1," * 17_000_000 + b"1]}", "bytes in line 1"),
    "one text among a million numbers": (
        b'{"x": [["' + b"a" * 10**6 + b'"],[' + b",".join([b"1"] * 10**6) + b"]]}",
        "nested unevenly",
    ),
    "a text of a megabyte among numbers": (b'{"x": [["' + b"a" * 10**6 + b'", 1],[1, 2]]}', "holds str"),
    "bytes that are no text": (b"\x00\xff\xfe" * 100, "not UTF-8"),
    "no object": (b"[1, 2]", "no JSON object"),
    "inputs of another model": (b'{"inputs": {"pixels": [1]}}', "has no input 'x'"),
}


@pytest.mark.parametrize("case", LINES)
def test_lines_that_mean_harm_are_refused(case: str, tmp_path: Path) -> None:
    content, message = LINES[case]
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "calibration.jsonl"
    path.write_bytes(content)
    refused_by(lambda: tensors(path, ONE_INPUT), path.parent, message)


def _repeated_text(path: Path) -> None:
    """A million rows that all are one text of 90 KB: 90 GB in memory, 100 KB in the file."""
    column = pyarrow.DictionaryArray.from_arrays(np.zeros(10**6, np.int32), ["w" * 90_000])
    pyarrow.parquet.write_table(pyarrow.table({"text": column}), path)


def _long_text(path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["w" * 10**7]}), path, compression="zstd")


def _many_rows(path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": pyarrow.nulls(2 * 10**6, pyarrow.string())}), path)


def _many_groups(path: Path) -> None:
    table = pyarrow.table({"text": ["a"] * 12_000})
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table, row_group_size=1)


PARQUET: dict[str, tuple[Callable[[Path], object], str]] = {
    "a text of 10 MB": (_long_text, "a text of 10,000,000 bytes"),
    "two million rows": (_many_rows, "more than 1,000,000 rows"),
    "twelve thousand row groups": (_many_groups, "10,000 row groups"),
    "a footer that lies": (lambda path: path.write_bytes(b"PAR1" + b"\xff" * 400 + b"\x90\x01\0\0PAR1"), "not a Parq"),
}


@pytest.mark.parametrize("case", PARQUET)
def test_a_parquet_file_that_means_harm_is_refused(case: str, tmp_path: Path) -> None:
    make, message = PARQUET[case]
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "calibration.parquet"
    make(path)
    refused_by(lambda: texts(path), path.parent, message)


_LIMITED = """
import resource, sys
from pathlib import Path
from converters.errors import SourceInvalid
from converters.samples.uploaded_tensors import tensors
from converters.samples.uploaded_text import texts
from registry.spec.signature import DataType, Signature, TensorSpec
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]), int(sys.argv[1])))
path = Path(sys.argv[2])
try:
    if sys.argv[3] == "texts":
        print(len(texts(path).items))
    else:
        print(len(tensors(path, Signature((TensorSpec("x", DataType.FP32, (-1,)),), ())).items))
except MemoryError:
    print("no memory")
"""


def _limited(path: Path, kind: str) -> str:
    """What a reader says that may allocate half a gigabyte."""
    process = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(512 * 1024**2), str(path), kind],
        capture_output=True,
        text=True,
        timeout=60,
        env={"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=True,
    )
    return process.stdout.strip()


def test_a_text_that_is_repeated_a_million_times_needs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "calibration.parquet"
    _repeated_text(path)
    assert path.stat().st_size < 10**6
    assert _limited(path, "texts") == "1"


def test_numbers_that_are_repeated_a_thousand_million_times_meet_the_limit(tmp_path: Path) -> None:
    """What only decoding shows ends at the child's memory, which the parent names."""
    column = pyarrow.array([np.zeros(5 * 10**6, np.float32)] * 4)
    path = tmp_path / "calibration.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"x": column}), path)
    assert path.stat().st_size < 10**6
    assert _limited(path, "tensors") == "no memory"


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A gigabyte without a line break, of which half a megabyte is looked at."""
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "calibration.txt"
    with path.open("wb") as file:
        file.write(b"w" * 1000)
        file.truncate(1024**3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused_by(lambda: texts(path), path.parent, "bytes in line 1", seconds=1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


CONVERSIONS: dict[str, tuple[dict[str, Callable[[], bytes]], str]] = {
    "texts": ({"calibration.txt": lambda: b"a shell"}, "not what this task calibrates with"),
    "nothing": ({"calibration.jsonl": lambda: b""}, "is empty"),
    "images": ({"calibration.zip": lambda: zipped({"a.png": picture(1)})}, "which is an image"),
    "a bomb": ({"calibration.zip": lambda: zipped({"x.npy": bytes(10**8)})}, "unpacks to 100,000,000 bytes"),
    "tensors of another shape": ({"calibration.zip": lambda: zipped({"x.npy": npy(np.ones((9, 5)))})}, "has the shape"),
    "two files": ({f"calibration.{suffix}": lambda: b"a" for suffix in ("txt", "zip")}, "more than one calibration"),
    "a table": ({"calibration.csv": lambda: b"a,b"}, "a format that is not read"),
}


@pytest.mark.parametrize("case", CONVERSIONS)
async def test_a_conversion_ends_with_calibration_data_that_does_not_fit(case: str, tmp_path: Path) -> None:
    files, message = CONVERSIONS[case]
    source = tmp_path / "source"
    source.mkdir()
    onnx.save(linear(), source / "model.onnx")
    for name, make in files.items():
        (source / name).write_bytes(make())
    await fails(source, "tensor", message)
