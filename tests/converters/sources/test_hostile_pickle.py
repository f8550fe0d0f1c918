"""Pickles that would make a file where they are opened: wherever one hides, it is refused and never run."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from converters.child import inspect_source
from converters.errors import SourceInvalid
from converters.samples.uploaded_tensors import tensors
from converters.samples.uploaded_text import texts
from converters.sources.facts import Format
from converters.sources.torch_program import to_onnx
from tests.converters.given import LIMITS
from tests.converters.samples.owners import ONE_INPUT, npy, zipped
from tests.converters.sources.hostile import Payload, payload, refused

INPUTS = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 4]}], "outputs": ["y"]})


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that only the payload makes."""
    return tmp_path / "marker"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "inputs.json").write_text(INPUTS)
    return tmp_path / "source"


def _torch_save(marker: Path) -> bytes:
    file = io.BytesIO()
    torch.save(Payload(marker), file)
    return file.getvalue()


def _old_torch_save(marker: Path) -> bytes:
    file = io.BytesIO()
    torch.save(Payload(marker), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def _linear() -> torch.jit.ScriptModule:
    traced: torch.jit.ScriptModule = torch.jit.trace(torch.nn.Linear(4, 3).eval(), torch.zeros(2, 4))
    return traced


def _script(marker: Path, entry: str = "data.pkl", protocol: int = 2) -> bytes:
    """A TorchScript archive in which one pickle is the payload."""
    return _changed(_saved_script(), {entry: payload(marker, protocol)})


def _saved_script() -> bytes:
    file = io.BytesIO()
    torch.jit.save(_linear(), file)
    return file.getvalue()


def _program(changes: Callable[[Mapping[str, bytes]], Mapping[str, bytes]]) -> bytes:
    """A torch.export archive with changed entries."""
    file = io.BytesIO()
    rows = torch.export.Dim("rows", min=1, max=64)
    exported = torch.export.export(torch.nn.Linear(4, 3).eval(), (torch.zeros(2, 4),), dynamic_shapes=({0: rows},))
    torch.export.save(exported, file)
    return _changed(file.getvalue(), changes(_entries(file.getvalue())))


def _entries(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name.partition("/")[2]: file.read(name) for name in file.namelist()}


def _changed(archive: bytes, changes: Mapping[str, bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        root = file.namelist()[0].partition("/")[0]
        entries = {**_entries(archive), **changes}
        return zipped({f"{root}/{name}": content for name, content in entries.items()}, zipfile.ZIP_STORED)


def _weights(marker: Path) -> bytes:
    """Weights that their table calls pickled."""

    def change(old: Mapping[str, bytes]) -> Mapping[str, bytes]:
        table = "data/weights/model_weights_config.json"
        weights = {name: _torch_save(marker) for name in old if "/weights/weight_" in name}
        return {**weights, table: old[table].replace(b'"use_pickle": false', b'"use_pickle": true')}

    return _program(change)


def _sample_inputs(marker: Path) -> bytes:
    return _program(lambda old: {"data/sample_inputs/model.pt": _torch_save(marker)})


def _sample_inputs_in_other_letters(marker: Path) -> bytes:
    """torch finds an entry whatever the case of its letters."""
    name = "data/sample_inputs/model.pt"
    return _sample_inputs(marker).replace(name.encode(), name.capitalize().encode())


def _bare_constant(marker: Path) -> bytes:
    return _program(lambda old: {"data/constants/custom_obj_0": payload(marker)})


def _altered(alter: Callable[[dict[str, Any]], None]) -> bytes:
    """A torch.export archive whose program, a JSON object, is altered."""

    def change(old: Mapping[str, bytes]) -> Mapping[str, bytes]:
        name = next(name for name in old if name.startswith("models/"))
        program = json.loads(old[name])
        alter(program)
        return {name: json.dumps(program).encode()}

    return _program(change)


def _code(marker: Path) -> str:
    return f"__import__('pathlib').Path('{marker}').touch()"


def _node(marker: Path) -> bytes:
    """A node that calls the operating system: torch looks targets up in Python by their text."""
    return _altered(lambda program: program["graph_module"]["graph"]["nodes"][0].update(target="os.system"))


def _size(marker: Path) -> bytes:
    """A size whose expression is Python: sympy evaluates texts."""
    return _altered(
        lambda program: program["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0]["as_expr"].update(
            expr_str=_code(marker)
        )
    )


def _guard(marker: Path) -> bytes:
    """A guard on the inputs, which torch compiles and runs as it is."""
    return _altered(lambda program: program.update(guards_code=[_code(marker)]))


def _guard_in_parentheses(marker: Path) -> bytes:
    """No name stands before a parenthesis, and no text is in quotes."""
    return _altered(lambda program: program.update(guards_code=[_spelt(marker)]))


def _size_in_parentheses(marker: Path) -> bytes:
    """The same as a size."""
    return _altered(
        lambda program: program["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0]["as_expr"].update(
            expr_str=_spelt(marker)
        )
    )


def _spelt(marker: Path) -> str:
    return f"(exec)({'+'.join(f'(chr)({ord(letter)})' for letter in _code(marker))})"


def _name(marker: Path) -> bytes:
    """An input whose name has a default: names stand in the code of the module as they are."""

    def change(old: Mapping[str, bytes]) -> Mapping[str, bytes]:
        name = "models/model.json"
        value = json.dumps(f"input={_code(marker)}").encode()
        return {name: re.sub(rb'"input"(?!, "arg")', lambda _: value, old[name])}  # aten.linear has an input, too

    return _program(change)


def _structure(marker: Path) -> bytes:
    """Inputs in a defaultdict, whose factory torch imports by its name."""
    context = {"default_factory_module": "os", "default_factory_name": "abort", "dict_context": "[]"}
    leaf = {"type": "collections.defaultdict", "context": json.dumps(context), "children_spec": []}
    return _altered(
        lambda program: program["graph_module"]["module_call_graph"][0]["signature"].update(
            in_spec=json.dumps([1, leaf])
        )
    )


FILES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "a pickle": ("model.pt", payload),
    "a pickle of protocol 5": ("model.pt2", lambda marker: payload(marker, 5)),
    "weights as torch saves them": ("model.pt", _torch_save),
    "weights as torch saved them once": ("model.pth", _old_torch_save),
    "TorchScript": ("model.pt", _script),
    "TorchScript with computed names": ("model.ts", lambda marker: _script(marker, protocol=4)),
    "the constants of TorchScript": ("model.jit", lambda marker: _script(marker, "constants.pkl")),
    "the weights of a torch.export archive": ("model.pt2", _weights),
    "the sample inputs of a torch.export archive": ("model.pt2", _sample_inputs),
    "sample inputs in other letters": ("model.pt2", _sample_inputs_in_other_letters),
    "an object in a torch.export archive": ("model.pt2", _bare_constant),
    "a node that calls the system": ("model.pt2", _node),
    "a size that is a program": ("model.pt2", _size),
    "a guard that is a program": ("model.pt2", _guard),
    "a size that is a program in parentheses": ("model.pt2", _size_in_parentheses),
    "a guard that is a program in parentheses": ("model.pt2", _guard_in_parentheses),
    "a name that is a program": ("model.pt2", _name),
    "a structure that imports": ("model.pt2", _structure),
}


@pytest.mark.parametrize("allowed", [False, True], ids=["not allowed", "allowed"])
@pytest.mark.parametrize("case", FILES)
def test_a_pickle_is_not_run_even_where_pickles_are_allowed(
    case: str, allowed: bool, source: Path, marker: Path
) -> None:
    name, make = FILES[case]
    (source / name).write_bytes(make(marker))
    error = refused(source, "tensor", name, allow_pickle=allowed)
    assert "ONNX" in error.remedy
    assert not marker.exists()


@pytest.mark.parametrize("case", [case for case, (name, _) in FILES.items() if name == "model.pt2"])
def test_what_is_not_inspected_is_not_run_by_the_conversion_either(case: str, source: Path, marker: Path) -> None:
    (source / "model.pt2").write_bytes(FILES[case][1](marker))
    with pytest.raises(SourceInvalid):
        to_onnx(source / "model.pt2", Format.TORCH_EXPORT, threads=1)
    assert not marker.exists()


def test_who_may_allow_pickles_is_named(source: Path) -> None:
    (source / "model.pt").write_bytes(_saved_script())
    assert "CONCH_ALLOW_PICKLE" in refused(source, "tensor", "can carry a pickle").remedy


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pytorch_model.bin", "no \\*.safetensors|CTranslate2|model.bin"),
        ("model.bin", "no \\*.safetensors|CTranslate2|model.bin"),
        ("model.safetensors", "header claims|valid JSON"),
        ("config.json", "JSON"),
        ("tokenizer.json", "JSON"),
        ("model.onnx", "not an ONNX file"),
    ],
)
def test_a_pickle_under_another_name_is_not_run(name: str, message: str, source: Path, marker: Path) -> None:
    (source / "inputs.json").unlink()
    (source / "config.json").write_text('{"model_type": "bert", "hidden_size": 4, "vocab_size": 9}')
    if name not in {"pytorch_model.bin", "model.bin"}:
        (source / "model.safetensors").write_bytes(save({"w": np.ones((9, 4), np.float32)}))
    (source / name).write_bytes(payload(marker))
    refused(source, "tensor" if name == "model.onnx" else "embedding", message)
    assert not marker.exists()


async def test_a_pickle_beside_honest_weights_is_never_opened(bert_copy: Path, marker: Path) -> None:
    for name in ("pytorch_model.bin", "optimizer.pt", "training_args.bin"):
        (bert_copy / name).write_bytes(payload(marker))
    assert (await inspect_source(bert_copy, "embedding", LIMITS)).architecture == "bert"
    assert not marker.exists()


def _objects(marker: Path) -> bytes:
    return npy(np.array([Payload(marker)], dtype=object))


@pytest.mark.parametrize("inside", [False, True], ids=["npy", "npz"])
def test_an_array_of_objects_is_not_unpickled(inside: bool, marker: Path, tmp_path: Path) -> None:
    content = _objects(marker)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        np.load(io.BytesIO(content))
    os.close(np.load(io.BytesIO(content), allow_pickle=True)[0])  # it would have worked
    marker.unlink()
    path = tmp_path / "calibration.zip"
    path.write_bytes(zipped({"x.npz": zipped({"x.npy": content})} if inside else {"x.npy": content}))
    with pytest.raises(SourceInvalid, match="Python objects, which are never opened") as error:
        tensors(path, ONE_INPUT)
    assert error.value.remedy == "The model's inputs are x FP32 [rows, 2, any]."
    assert not marker.exists()


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "parquet"])
def test_calibration_data_that_is_a_pickle_is_not_run(suffix: str, marker: Path, tmp_path: Path) -> None:
    path = tmp_path / f"calibration.{suffix}"
    path.write_bytes(payload(marker))
    with pytest.raises(SourceInvalid) as error:
        texts(path)
    assert error.value.remedy
    assert not marker.exists()
