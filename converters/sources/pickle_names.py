"""What a pickle would call, read from its opcodes without running it.

A pickle is a program: GLOBAL names a callable, REDUCE calls it (https://docs.python.org/3/library/pickletools.html).
torch writes protocol 2, where the names stand in the opcodes themselves; newer ways to say them are refused, because
their names are computed.
"""

from __future__ import annotations

import pickletools

from converters.errors import SourceInvalid

_COMPUTED = {"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"}
_TENSORS = {
    "collections OrderedDict",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor_v2",
    "torch Size",
    "torch.serialization _get_layout",
}
_SCRIPT = ("__torch__", "torch.jit._pickle")  # classes of the program itself: known to TorchScript's reader alone


def check_pickle(data: bytes, name: str, *, script: bool) -> None:
    """Raise SourceInvalid unless the pickle makes tensors and containers only; `script` adds TorchScript's classes."""
    try:
        operations = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(data)]
    except (ValueError, OverflowError) as error:
        raise _refused(name, "it is damaged") from error
    for opcode, argument in operations:
        if opcode in _COMPUTED:
            raise _refused(name, "it computes the names of what it calls")
        if opcode == "GLOBAL" and not _harmless(str(argument), script=script):
            shown = str(argument).replace(" ", ".")
            raise _refused(name, f"it would call {shown[:60]!a}")


def _harmless(called: str, *, script: bool) -> bool:
    module, _, attribute = called.partition(" ")
    if called in _TENSORS or (module == "torch" and attribute.isidentifier() and attribute.endswith("Storage")):
        return True
    return script and (module in _SCRIPT or module.startswith("__torch__."))


def _refused(name: str, why: str) -> SourceInvalid:
    return SourceInvalid(
        f"A pickle in {name} is not opened: {why}.",
        "Save a program that holds tensors only, or export the model to ONNX.",
    )
