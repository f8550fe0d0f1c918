"""Several ONNX graphs in one source, for the task `ocr`: where text is, what it says and, optionally, which way up."""

from __future__ import annotations

from pathlib import Path

import onnx

from converters.errors import SourceInvalid
from converters.sources import onnx_file
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import plain_files

REQUIRED = {"det": "det.onnx", "rec": "rec.onnx"}
OPTIONAL = {"cls": "cls.onnx"}
DICTIONARY = "dictionary.txt"

_CHARACTER = "character"  # the key that PaddleOCR's and RapidOCR's exporters write
_DICTIONARY_BYTES = 2**20  # PP-OCRv4's has 26 KB
_LONGEST = 16  # code points of one character: an emoji of a family has 11
_EXTRA = (1, 2)  # classes beside the dictionary: the blank of CTC, and with use_space_char the space


def inspect(source: Path, task: str) -> SourceFacts:
    """The facts of the graphs in `source`, each looked at as model.onnx is. Raises SourceInvalid."""
    files = parts(source)
    models = {part: onnx_file.parse(source / name) for part, name in files.items()}
    counts = {part: onnx_file.check(model, source, files[part]) for part, model in models.items()}
    _check_classes(models["rec"], dictionary(source, models["rec"]))
    return SourceFacts(
        format=Format.ONNX_BUNDLE,
        task=task,
        architecture="onnx",
        parameters=sum(counts.values()),
        size=sum(path.stat().st_size for path in plain_files(source)),
        files=files,
    )


def parts(source: Path) -> dict[str, str]:
    """The graphs' files by part: `det`, `rec` and, where it is there, `cls`. Raises SourceInvalid."""
    missing = [name for name in REQUIRED.values() if not (source / name).is_file()]
    if missing:
        raise SourceInvalid(
            f"{' and '.join(missing)} is missing.",
            "Upload the detector as det.onnx and the recogniser as rec.onnx; cls.onnx, which tells lines that are "
            "upside down, is optional.",
        )
    return REQUIRED | {part: name for part, name in OPTIONAL.items() if (source / name).is_file()}


def dictionary(source: Path, recogniser: onnx.ModelProto) -> tuple[str, ...]:
    """The characters that the recogniser's classes stand for, in their order, without blank and space.

    From dictionary.txt, one character a line, else from the metadata `character` of rec.onnx.
    """
    path = source / DICTIONARY
    if path.is_file():
        if path.stat().st_size > _DICTIONARY_BYTES:
            raise _no_dictionary(f"{DICTIONARY} has more than {_DICTIONARY_BYTES} bytes")
        content = path.read_bytes()
    else:
        content = next((e.value for e in recogniser.metadata_props if e.key == _CHARACTER), "").encode()
    try:
        characters = tuple(content.decode().replace("\r\n", "\n").removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise _no_dictionary(f"{DICTIONARY} is not UTF-8") from error
    if not content or any(not 1 <= len(character) <= _LONGEST for character in characters):
        raise _no_dictionary("it has no dictionary, or one with a line that is no character")
    return characters


def _check_classes(recogniser: onnx.ModelProto, characters: tuple[str, ...]) -> None:
    """Where the graph says how many classes it has, they are those of the dictionary."""
    shape = recogniser.graph.output[0].type.tensor_type.shape.dim
    classes = shape[-1].dim_value if len(shape) == 3 else 0
    if classes > 0 and classes - len(characters) not in _EXTRA:
        raise _no_dictionary(f"its dictionary has {len(characters)} characters, and the graph {classes} classes")


def _no_dictionary(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"rec.onnx cannot be read as text: {why}.",
        f"Add {DICTIONARY}, one character a line in the order of the model's classes, without blank and space.",
    )
