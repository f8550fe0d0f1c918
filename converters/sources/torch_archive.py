"""Inspection of a torch.export archive (.pt2) and of TorchScript: from the zip directory and texts, nothing is loaded.

Both formats are programs that torch unpickles and evaluates, so they are the operator's to allow. That they are allowed
does not mean that they are trusted: what would run code is looked for here, and what is loaded is loaded in the child.
Layouts: torch/export/pt2_archive/constants.py and torch/csrc/jit/docs/serialization.md.
"""

from __future__ import annotations

from pathlib import Path

from converters.errors import SourceInvalid
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import parse_object, plain_files, read_object
from converters.sources.pickle_names import check_pickle
from converters.sources.text_facts import check_tokenizer, read_text_facts
from converters.sources.torch_graph import check_program, refused
from converters.sources.torch_inputs import INPUTS, read_inputs
from converters.sources.zip_archive import Archive, is_zip, open_archive
from registry.spec.embedding import TASK as EMBEDDING

_TEXT_BYTES = 64 * 1024**2  # the graph of a model with 10,000 nodes has 10 MB
_PICKLE_BYTES = 16 * 1024**2
_FORMAT, _PROGRAMS, _NATIVE = "archive_format", "models/", ("data/aotinductor/", "data/executorch/", "data/mtia")


def format_of(path: Path) -> Format:
    """Which of torch's formats the file is in, told from its content. Raises SourceInvalid for weights alone."""
    if not is_zip(path):
        raise SourceInvalid(
            f"{path.name} is not a torch archive: it may be a bare pickle, which is never opened.",
            "Save the program with torch.export.save (.pt2), or export the model to ONNX as model.onnx.",
        )
    entries = open_archive(path, path.name).entries
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
    archive = open_archive(path, path.name)
    if form is Format.TORCH_EXPORT:
        _check_export(archive)
    else:
        _check_script(archive)
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


def _check_script(archive: Archive) -> None:
    for entry in ("data.pkl", "constants.pkl"):
        check_pickle(archive.read(entry, _PICKLE_BYTES), archive.name, script=True)


def _check_export(archive: Archive) -> None:
    programs = [entry for entry in archive.entries if entry.startswith(_PROGRAMS)]
    if archive.read(_FORMAT, 10) != b"pt2" or len(programs) != 1 or not programs[0].endswith(".json"):
        raise refused(archive.name, f"it holds {len(programs)} exported programs, not one")
    if any(entry.startswith(_NATIVE) for entry in archive.entries):
        raise refused(archive.name, "it holds compiled code")
    program = parse_object(archive.read(programs[0], _TEXT_BYTES), f"the program in {archive.name}")
    check_program(program, archive.name)
    for entry, info in archive.entries.items():
        if entry.startswith("data/") and info.file_size:
            _check_payload(archive, entry)
    for entry in archive.entries:
        if entry.startswith("data/") and entry.endswith("_config.json"):
            _check_pickled(archive, entry)


def _check_payload(archive: Archive, entry: str) -> None:
    """Pickles within the archive, which torch.save wrote as archives of their own: sample inputs, odd tensors."""
    if entry.rpartition("/")[2].startswith(("custom_obj_", "opaque_obj_")):
        raise refused(archive.name, "it holds objects beyond tensors")
    if archive.is_archive(entry):
        inner = open_archive(archive.read(entry, 2**31), archive.name)
        check_pickle(inner.read("data.pkl", _PICKLE_BYTES), archive.name, script=False)
    elif entry.startswith("data/sample_inputs/") or entry.endswith(".pt"):
        raise refused(archive.name, "it holds a bare pickle")


def _check_pickled(archive: Archive, entry: str) -> None:
    """Whatever a table of weights or constants says is pickled has been looked at by _check_payload."""
    table = parse_object(archive.read(entry, _TEXT_BYTES), f"a table in {archive.name}").get("config")
    directory = entry.rpartition("/")[0]
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise refused(archive.name, "a table of its weights is none")
    for row in table.values():
        place = f"{directory}/{row.get('path_name')}"
        if place not in archive.entries or (row.get("use_pickle") and not archive.is_archive(place)):
            raise refused(archive.name, "a table of its weights does not fit them")


def _parameters(archive: Archive, form: Format) -> int:
    """The elements of the weights, taken to be FP32: the archive need not be loaded to tell."""
    place = "data/weights/weight_" if form is Format.TORCH_EXPORT else "data/"
    return sum(info.file_size for entry, info in archive.entries.items() if entry.startswith(place)) // 4
