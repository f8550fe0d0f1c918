"""Inspection of a torch.export archive (.pt2) and of TorchScript: from the zip directory and texts, nothing is loaded.

Both formats are programs that torch unpickles and evaluates, so they are the operator's to allow. That they are allowed
does not mean that they are trusted: what would run code is looked for here, and what is loaded is loaded in the child.
Layouts: torch/export/pt2_archive/constants.py and torch/csrc/jit/docs/serialization.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from converters.errors import SourceInvalid
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import parse_object, plain_files, read_object
from converters.sources.pickle_names import check_pickle
from converters.sources.text_facts import check_tokenizer, read_text_facts
from converters.sources.torch_graph import checked_program, refused
from converters.sources.torch_inputs import INPUTS, read_inputs
from converters.sources.zip_archive import MAGIC, Archive, is_zip, open_archive
from registry.spec.embedding import TASK as EMBEDDING

_TEXT_BYTES = 64 * 1024**2  # the graph of a model with 10,000 nodes has 10 MB
_PICKLE_BYTES = 16 * 1024**2
_FORMAT, _PROGRAM, _SAMPLE_INPUTS = "archive_format", "models/model.json", "data/sample_inputs/model.pt"
_TABLES = {
    "data/weights/model_weights_config.json": re.compile(r"weight_\d+"),
    "data/constants/model_constants_config.json": re.compile(r"tensor_\d+"),
}
_NOT_LOADED = re.compile(r"extra/.+|code/.+\.debug_pkl|\.data/serialization_id")  # notes for people and debuggers
_EXPORT = re.compile(
    r"archive_format|archive_version|byteorder|\.data/version|models/model\.json|data/sample_inputs/model\.pt|"
    r"data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
)
_SCRIPT = re.compile(
    r"version|byteorder|\.data/version|\.format_version|\.storage_alignment|(data|constants)\.pkl|"
    r"(data|constants)/\d+|code/\w+(/\w+)*\.py"
)
"""The entries as torch writes them: its reader finds entries in any case of letters, so others are refused."""


def format_of(path: Path) -> Format:
    """Which of torch's formats the file is in, told from its content. Raises SourceInvalid for weights alone."""
    if not is_zip(path):
        raise SourceInvalid(
            f"{path.name} is not a torch archive: it may be a bare pickle, which is never opened.",
            "Save the program with torch.export.save (.pt2), or export the model to ONNX as model.onnx.",
        )
    with open_archive(path, path.name) as archive:
        entries = archive.entries
    if _FORMAT in entries:
        return Format.TORCH_EXPORT
    if "constants.pkl" in entries and any(entry.startswith("code/") for entry in entries):
        return Format.TORCHSCRIPT
    raise SourceInvalid(
        f"{path.name} holds pickled weights or an old archive, and no program.",
        "Save the program with torch.export.save (.pt2) of torch 2.9 or newer, or export the model to ONNX.",
    )


def inspect(source: Path, path: Path, task: str, *, allow_pickle: bool) -> SourceFacts:
    """The facts of the archive `path` in `source`. Raises SourceInvalid where it is not allowed, or would run code."""
    form = format_of(path)
    if not allow_pickle:
        raise SourceInvalid(
            f"{path.name} is a format that can carry a pickle, and the operator of this Conch opens none.",
            "Export the model to ONNX (torch.onnx.export) or register safetensors, or ask the operator to set "
            "CONCH_ALLOW_PICKLE.",
        )
    with open_archive(path, path.name) as archive:
        _checked(archive, form)
    if form is Format.TORCHSCRIPT:
        read_inputs(source / INPUTS)
    text = None
    if task == EMBEDDING.name:
        config = read_object(source / "config.json", required=False)
        check_tokenizer(source, config)
        text = read_text_facts(source, config)
    return SourceFacts(
        format=form,
        task=task,
        architecture=form.value,
        parameters=_parameters(archive, form),
        size=sum(file.stat().st_size for file in plain_files(source)),
        files={"model": path.name},
        text=text,
    )


def rewrite(path: Path, form: Format, target: Path) -> None:
    """Write to `target` the archive that torch is to load: what has been checked in the archive `path`, and no more.

    So torch reads the entries that were looked at, whatever its reader would find in the owner's file. Raises
    SourceInvalid as inspect() does.
    """
    with open_archive(path, path.name) as archive:
        changed = _checked(archive, form)
        loaded = [entry for entry in archive.entries if not _NOT_LOADED.fullmatch(entry)]
        archive.copy(target, loaded, changed)


def _checked(archive: Archive, form: Format) -> Mapping[str, bytes]:
    """What of the archive is loaded otherwise than it is there. Raises SourceInvalid where something would run code."""
    known = _EXPORT if form is Format.TORCH_EXPORT else _SCRIPT
    for entry in archive.entries:
        if not known.fullmatch(entry) and not _NOT_LOADED.fullmatch(entry):
            raise refused(archive.name, f"{entry[:60]!a} in it is no part of one program")
    if form is Format.TORCH_EXPORT:
        return _checked_export(archive)
    for entry in ("data.pkl", "constants.pkl"):
        check_pickle(archive.read(entry, _PICKLE_BYTES), archive.name, script=True)
    return {}


def _checked_export(archive: Archive) -> Mapping[str, bytes]:
    """The program without what a graph does not need, and no sample inputs, which are a pickle."""
    if archive.read(_FORMAT, 10) != b"pt2":
        raise refused(archive.name, "it is in another format than torch.export's")
    program = checked_program(archive.read(_PROGRAM, _TEXT_BYTES), archive.name)
    for table, tensors in _TABLES.items():
        _check_table(archive, table, tensors)
    _check_sample_inputs(archive)
    return {_PROGRAM: program, _SAMPLE_INPUTS: b""}


def _check_table(archive: Archive, entry: str, tensors: re.Pattern[str]) -> None:
    """The table names raw tensors beside it: one that is pickled is of a class beyond those that ONNX has."""
    table = parse_object(archive.read(entry, _TEXT_BYTES), f"a table in {archive.name}").get("config")
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise refused(archive.name, "a table of its weights is none")
    directory = entry.rpartition("/")[0]
    for row in table.values():
        place = str(row.get("path_name"))
        if not tensors.fullmatch(place) or f"{directory}/{place}" not in archive.entries:
            raise refused(archive.name, "a table of its weights does not fit them")
        if row.get("use_pickle") is not False:
            raise refused(archive.name, "it holds objects beyond tensors")


def _check_sample_inputs(archive: Archive) -> None:
    """An archive of torch.save's own. It is never loaded, and one that would run code is refused all the same."""
    content = archive.read(_SAMPLE_INPUTS, 2**31)
    if not content.startswith(MAGIC):
        raise refused(archive.name, "it holds a bare pickle")
    with open_archive(content, archive.name) as inputs:
        check_pickle(inputs.read("data.pkl", _PICKLE_BYTES), archive.name, script=False)


def _parameters(archive: Archive, form: Format) -> int:
    """The elements of the weights, taken to be FP32: the archive need not be loaded to tell."""
    place = "data/weights/weight_" if form is Format.TORCH_EXPORT else "data/"
    return sum(info.file_size for entry, info in archive.entries.items() if entry.startswith(place)) // 4
