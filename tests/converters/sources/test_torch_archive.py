"""torch's archives: refused unless allowed, and even then when they would run code, unpack to too much or mislead."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from converters.errors import SourceInvalid
from converters.sources import torch_archive
from converters.sources.detect import detect, inspect
from converters.sources.facts import Format
from converters.sources.pickle_names import check_pickle


@pytest.fixture
def pt2(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported, tmp_path / "model.pt2"))


@pytest.fixture
def script(scripted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scripted, tmp_path / "script")) / "model.pt"


def _contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def _write(path: Path, entries: Mapping[str, bytes], packing: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def _changed(path: Path, **changes: bytes | None) -> None:
    """The archive with some entries (by the end of their names with __ for /) replaced, or new."""
    contents = _contents(path)
    root = next(iter(contents)).partition("/")[0]
    for key, content in changes.items():
        name = f"{root}/{key}"
        name = next((n for n in contents if n.endswith(key)), name)
        if content is None:
            del contents[name]
        else:
            contents[name] = content
    _write(path, contents)


def _renamed(path: Path, before: str, after: str) -> None:
    contents = _contents(path)
    assert any(before in name for name in contents)
    _write(path, {name.replace(before, after): content for name, content in contents.items()})


def _program(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    name = next(n for n in _contents(path) if n.endswith("models/model.json"))
    program = json.loads(_contents(path)[name])
    change(program)
    _changed(path, **{"models/model.json": json.dumps(program).encode()})


class _Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("exit 1",)


def _saved(value: object) -> bytes:
    """What torch.save writes."""
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _expression(text: str) -> Callable[[dict[str, Any]], object]:
    def change(program: dict[str, Any]) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        sizes = [size for value in values.values() for size in value["sizes"] if "as_expr" in size]
        assert sizes
        sizes[0]["as_expr"]["expr_str"] = text

    return change


def _guards(*texts: str) -> Callable[[dict[str, Any]], object]:
    return lambda program: program.update(guards_code=list(texts))


def _structure(kind: object, context: object) -> Callable[[dict[str, Any]], object]:
    tree = json.dumps([1, {"type": kind, "context": context, "children_spec": []}])
    return lambda program: program["graph_module"]["module_call_graph"][0]["signature"].update(in_spec=tree)


def _node(program: dict[str, Any]) -> Any:
    return program["graph_module"]["graph"]["nodes"][0]


def _signature(program: dict[str, Any]) -> Any:
    return program["graph_module"]["signature"]["input_specs"][0]


def _argument(kind: str, text: str) -> Callable[[dict[str, Any]], object]:
    return lambda program: _node(program)["inputs"][0].update(arg={kind: text})


def _target(text: str) -> Callable[[dict[str, Any]], object]:
    return lambda program: _node(program).update(target=text)


EXPORT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-10]), "was cut off"),
    "something before it": (lambda p: p.write_bytes(b"PK\3\4" + b"x" * 100 + p.read_bytes()), "lies before them"),
    "something behind it": (lambda p: p.write_bytes(p.read_bytes() + b"x" * 100), "something follows it"),
    "compiled code": (lambda p: _changed(p, **{"data/aotinductor/model/a.so": b"\x7fELF"}), "no part of"),
    "two programs": (lambda p: _changed(p, **{"models/other.json": b"{}"}), "no part of"),
    "a program that is no JSON": (lambda p: _changed(p, **{"models/model.json": b"{{"}), "valid JSON"),
    "an opaque object": (
        lambda p: _changed(p, **{"data/constants/opaque_obj_0": pickle.dumps(_Payload(), 2)}),
        "no part of",
    ),
    "a program in other letters": (lambda p: _renamed(p, "models/model.json", "models/Model.json"), "no part of"),
    "inputs in other letters": (lambda p: _renamed(p, "data/sample_inputs/", "Data/sample_inputs/"), "no part of"),
    "inputs in a place with two slashes": (
        lambda p: _renamed(p, "data/sample_inputs/", "data//sample_inputs/"),
        "is not plain",
    ),
    "weights as they were kept before torch 2.9": (
        lambda p: _changed(p, **{"data/weights/model.pt": _saved(_Payload())}),
        "no part of",
    ),
    "no inputs": (lambda p: _changed(p, **{"data/sample_inputs/model.pt": None}), "is missing"),
    "a pickled payload in the inputs": (
        lambda p: _changed(p, **{"sample_inputs/model.pt": _saved(_Payload())}),
        "would call 'posix.system'",
    ),
    "a bare pickle in the inputs": (
        lambda p: _changed(p, **{"sample_inputs/model.pt": pickle.dumps(_Payload(), 2)}),
        "bare pickle",
    ),
    "a weight that is a pickle": (
        lambda p: _changed(
            p,
            **{
                "model_weights_config.json": b'{"config": {"w": {"path_name": "weight_0", "use_pickle": true}}}',
                "data/weights/weight_0": _saved(_Payload()),
            },
        ),
        "objects beyond tensors",
    ),
    "a weight that does not say whether it is a pickle": (
        lambda p: _changed(p, **{"model_weights_config.json": b'{"config": {"w": {"path_name": "weight_0"}}}'}),
        "objects beyond tensors",
    ),
    "a weight that is not there": (
        lambda p: _changed(p, **{"model_weights_config.json": b'{"config": {"w": {"path_name": "../../x"}}}'}),
        "does not fit",
    ),
    "a node that calls Python": (lambda p: _program(p, _target("torch.serialization.os.system")), "no operator"),
    "an argument that is Python": (lambda p: _program(p, _argument("as_operator", "torch.hub.load")), "no operator"),
    "a node that calls a class": (lambda p: _program(p, _target("torch.ops.aten.__class__.mro")), "no operator"),
    "a node that calls a loader": (lambda p: _program(p, _target("math.__loader__")), "no operator"),
    "a node that reads a file": (lambda p: _program(p, _target("torch.ops.aten.from_file.default")), "no operator"),
    "a node that calls a method": (lambda p: _program(p, _target("_operator.methodcaller")), "no operator"),
    "a size that is code": (lambda p: _program(p, _expression("__import__('os').system('true')")), "arithmetic"),
    "a size that evaluates": (lambda p: _program(p, _expression("eval('1')")), "arithmetic"),
    "a weight that is a payload named as a table": (
        lambda p: _changed(
            p,
            **{
                "model_weights_config.json": b'{"config": {"w": {"path_name": "evil.json", "use_pickle": true}}}',
                "data/weights/evil.json": _saved(_Payload()),
            },
        ),
        "no part of",
    ),
    "a guard that is code": (lambda p: _program(p, _guards("__import__('os').system('true')")), "a guard in it"),
    "a guard that calls": (lambda p: _program(p, _guards("exit(1) == 1")), "a guard in it"),
    "a guard that reads an attribute": (lambda p: _program(p, _guards("L['x'].data.f == 1")), "a guard in it"),
    "a guard that is no text": (
        lambda p: _program(p, lambda program: program.update(guards_code=[1])),
        "a guard in it",
    ),
    "a structure that imports": (
        lambda p: _program(p, _structure("collections.defaultdict", "{}")),
        "other than tuples",
    ),
    "keys that import": (
        lambda p: _program(p, _structure("builtins.dict", '[{"__enum__": true, "fqn": "os:system", "name": "x"}]')),
        "other than tuples",
    ),
    "a structure that is a number": (lambda p: _program(p, _structure(7, None)), "other than tuples"),
    "a structure without JSON": (lambda p: _program(p, _structure("builtins.dict", "]]")), "valid JSON"),
    "a size that is a list": (lambda p: _program(p, _expression("[1 for _ in ()]")), "arithmetic"),
    "a size that calls in parentheses": (lambda p: _program(p, _expression("(exec)((chr)(111))")), "arithmetic"),
    "a guard that calls in parentheses": (lambda p: _program(p, _guards("(exec)((chr)(111)) == 1")), "a guard in it"),
    "an argument whose name is code": (
        lambda p: _program(p, lambda program: _node(program)["inputs"][0].update(name="x=exit()")),
        "is no name",
    ),
    "a parameter whose name is code": (
        lambda p: _program(p, lambda program: _signature(program)["parameter"].update(parameter_name='w", exit()) #')),
        "is no name",
    ),
    "a value whose key is code": (
        lambda p: _program(p, lambda program: program["graph_module"]["graph"]["tensor_values"].update({"x=f()": {}})),
        "is no name",
    ),
    "a key of the inputs that is code": (
        lambda p: _program(p, _structure("builtins.dict", "[\"' + exit() + '\"]")),
        "other than tuples",
    ),
}


@pytest.mark.parametrize("case", EXPORT)
def test_an_exported_program_that_would_run_code_is_refused_even_where_pickles_are_allowed(
    case: str, pt2: Path
) -> None:
    damage, message = EXPORT[case]
    damage(pt2)
    with pytest.raises(SourceInvalid, match=message) as error:
        inspect(pt2.parent, "tensor", allow_pickle=True)
    assert error.value.remedy
    assert str(pt2.parent) not in str(error.value)


ARCHIVE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a bomb": (
        lambda p: _write(p, {"a/data.pkl": b"\0" * 10_000_000, "a/constants.pkl": b""}, zipfile.ZIP_DEFLATED),
        "unpack to far more",
    ),
    "a name that climbs out": (lambda p: _write(p, {"a/x": b"", "a/../../etc/passwd": b""}), "leads out of it"),
    "an absolute name": (lambda p: _write(p, {"/a/x": b""}), "leads out of it"),
    "two names that differ in case": (lambda p: _write(p, {"a/data.pkl": b"", "a/DATA.pkl": b""}), "one name"),
    "two directories": (lambda p: _write(p, {"a/x": b"", "b/y": b""}), "several directories"),
    "overlapping entries": (lambda p: _overlapping(p), "overlap"),
    "overlapping entries with names in Cyrillic": (lambda p: _close_together(p, "я" * 40), "overlap"),
    "overlapping entries by what their headers leave room for": (lambda p: _close_together(p, "a", 60), "overlap"),
    "an unusual packing": (lambda p: _write(p, {"a/x": b"x" * 100}, zipfile.ZIP_BZIP2), "unusual way"),
    "nothing in it": (lambda p: p.write_bytes(b"PK\3\4" + b"\0" * 60), "no zip archive"),
    "weights only": (lambda p: p.write_bytes(_saved({"w": 1})), "no program"),
    "a bare pickle": (lambda p: p.write_bytes(pickle.dumps(_Payload())), "bare pickle"),
    "20,001 entries": (lambda p: _write(p, {f"a/{i}": b"" for i in range(20_001)}), "20001 entries"),
}


def _overlapping(path: Path) -> None:
    """Two entries of the directory that name one place, as in bombs that need no nesting."""
    _write(path, {"a/0": b"x" * 1000, "a/1": b"x" * 1000})
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\1\2")
    content[second + 42 : second + 46] = (0).to_bytes(4, "little")
    path.write_bytes(content)


def _close_together(path: Path, name: str, extra: int = 0) -> None:
    """Two entries of which the first, whose header claims `extra` bytes more, ends within the second."""
    _write(path, {f"a/{name}": b"x" * 100, "a/1": b"y" * 100})
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\1\2")
    offset = int.from_bytes(content[second + 42 : second + 46], "little")
    moved = offset - (0 if extra else 20)
    content[28:30] = extra.to_bytes(2, "little")
    content[second + 42 : second + 46] = moved.to_bytes(4, "little")
    path.write_bytes(content)


@pytest.mark.parametrize("case", ARCHIVE)
def test_an_archive_that_is_no_honest_one_is_refused_before_it_is_unpacked(case: str, tmp_path: Path) -> None:
    make, message = ARCHIVE[case]
    make(tmp_path / "model.pt")
    with pytest.raises(SourceInvalid, match=message) as error:
        inspect(tmp_path, "tensor", allow_pickle=True)
    assert error.value.remedy


SCRIPT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a payload": (lambda p: _changed(p, **{"/data.pkl": pickle.dumps(_Payload(), 2)}), "would call 'posix.system'"),
    "a payload in a newer protocol": (lambda p: _changed(p, **{"/data.pkl": pickle.dumps(_Payload(), 4)}), "computes"),
    "a damaged pickle": (lambda p: _changed(p, **{"/data.pkl": b"\x80\2garbage"}), "is damaged"),
    "no inputs.json": (lambda p: (p.parent / "inputs.json").unlink(), "inputs.json is missing"),
    "an empty inputs.json": (lambda p: (p.parent / "inputs.json").write_text("{}"), "no list of inputs"),
    "a datatype nobody knows": (
        lambda p: (p.parent / "inputs.json").write_text(
            '{"inputs": [{"name": "x", "datatype": "TEXT", "shape": [1]}]}'
        ),
        "without a datatype",
    ),
    "an input of a petabyte": (
        lambda p: (p.parent / "inputs.json").write_text(
            '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [100000000, 10000000]}]}'
        ),
        "more than 268435456 elements",
    ),
    "a size of nothing": (
        lambda p: (p.parent / "inputs.json").write_text(
            '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [0]}]}'
        ),
        "neither a positive number",
    ),
    "one name twice": (
        lambda p: (p.parent / "inputs.json").write_text(
            '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}], "outputs": ["x"]}'
        ),
        "one name twice",
    ),
}


@pytest.mark.parametrize("case", SCRIPT)
def test_a_script_that_would_run_code_or_says_no_inputs_is_refused(case: str, script: Path) -> None:
    damage, message = SCRIPT[case]
    damage(script)
    with pytest.raises(SourceInvalid, match=message) as error:
        inspect(script.parent, "tensor", allow_pickle=True)
    assert error.value.remedy


def test_a_format_that_can_carry_a_pickle_is_refused_with_the_setting_that_allows_it(pt2: Path, script: Path) -> None:
    for source in (pt2.parent, script.parent):
        with pytest.raises(SourceInvalid, match="can carry a pickle") as error:
            inspect(source, "tensor")
        assert "CONCH_ALLOW_PICKLE" in error.value.remedy


def test_both_are_told_by_their_content_whatever_their_names(pt2: Path, script: Path, tmp_path: Path) -> None:
    misnamed = tmp_path / "misnamed"
    misnamed.mkdir()
    shutil.copyfile(pt2, misnamed / "model.pt")
    assert detect(misnamed) == (Format.TORCH_EXPORT, misnamed / "model.pt")
    assert detect(script.parent) == (Format.TORCHSCRIPT, script)


def test_the_facts_of_what_is_allowed(pt2: Path, script: Path) -> None:
    facts = inspect(pt2.parent, "tensor", allow_pickle=True)
    assert (facts.format, facts.parameters) == (Format.TORCH_EXPORT, 8 * 16 + 16 + 16 * 4 + 4)
    assert facts.files == {"model": "model.pt2"}
    assert inspect(script.parent, "tensor", allow_pickle=True).parameters == 309_633


@pytest.mark.parametrize("called", ["os.system", "builtins.eval", "torch.load", "torch.os.system", "torch.hub.load"])
def test_a_pickle_may_not_call(called: str) -> None:
    module, _, name = called.rpartition(".")
    data = f"c{module}\n{name}\n.".encode()
    for script in (False, True):
        with pytest.raises(SourceInvalid, match="would call"):
            check_pickle(data, "model.pt", script=script)


def test_a_class_of_a_script_is_known_to_scripts_only() -> None:
    data = b"c__torch__.net\nNet\n."
    check_pickle(data, "model.pt", script=True)
    with pytest.raises(SourceInvalid, match="would call"):
        check_pickle(data, "model.pt", script=False)


@pytest.mark.parametrize(
    "text", ["s0", "Symbol('s77', positive=True, integer=True)", "Max(1, 2*s0) // 3", "-4", "1e-05"]
)
def test_the_sizes_that_torch_writes_are_arithmetic(text: str, pt2: Path) -> None:
    _program(pt2, _expression(text))
    assert torch_archive.inspect(pt2.parent, pt2, "tensor", allow_pickle=True).size > 0


SCRIPT_ENTRIES = ("DATA.pkl", "data/weights", "attributes.pkl", "model.json", "tensors/0", "code/../x.py")


@pytest.mark.parametrize("entry", SCRIPT_ENTRIES)
def test_an_entry_that_torch_does_not_write_into_scripts_is_refused(entry: str, script: Path) -> None:
    contents = _contents(script)
    root = next(iter(contents)).partition("/")[0]
    _write(script, {**contents, f"{root}/{entry}": b"x"})
    with pytest.raises(SourceInvalid, match=r"no part of|one name|leads out"):
        inspect(script.parent, "tensor", allow_pickle=True)


def test_what_is_loaded_is_what_was_checked(pt2: Path, script: Path, tmp_path: Path) -> None:
    """Neither sample inputs, guards and notes nor an owner's extra files reach torch."""
    _program(pt2, _guards("L['input'].size()[0] >= 2"))
    _changed(pt2, **{"extra/notes.txt": b"not ours"})
    torch_archive.rewrite(pt2, Format.TORCH_EXPORT, tmp_path / "rewritten")
    made, given = _contents(tmp_path / "rewritten"), _contents(pt2)
    assert {name.partition("/")[0] for name in made} == {"archive"}
    assert not any("extra" in name for name in made)
    assert made["archive/data/sample_inputs/model.pt"] == b""
    program = json.loads(made["archive/models/model.json"])
    assert program["guards_code"] == []
    assert {str(node["metadata"]) for node in program["graph_module"]["graph"]["nodes"]} == {"{}"}
    assert made["archive/data/weights/weight_0"] == next(v for k, v in given.items() if k.endswith("weight_0"))
    torch_archive.rewrite(script, Format.TORCHSCRIPT, tmp_path / "rewritten")
    names = set(_contents(tmp_path / "rewritten"))
    assert {"archive/data.pkl", "archive/constants.pkl", "archive/data/0"} <= names
    assert not any(name.endswith(".debug_pkl") for name in names)


def test_an_entry_that_is_damaged_is_refused_when_it_is_loaded(pt2: Path, tmp_path: Path) -> None:
    weights = next(content for name, content in _contents(pt2).items() if name.endswith("weights/weight_0"))
    pt2.write_bytes(pt2.read_bytes().replace(weights, bytes(len(weights))))
    with pytest.raises(SourceInvalid, match="an entry is damaged"):
        torch_archive.rewrite(pt2, Format.TORCH_EXPORT, tmp_path / "rewritten")
