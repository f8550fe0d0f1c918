"""A plan out of an ONNX file, with TensorRT 10 or 11 through one path.

The module is handed in: `tensorrt` on a machine with a GPU, `tensorrt_rtx` for `converters.tensorrt.legality`, which
builds without one. TensorRT 11 types every network strongly; 10 does where the network is created so, and 11 takes the
same flag without effect. Nothing of a plan was run here: whoever has the GPU measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from converters.errors import ConversionFailed
from converters.tensorrt.messages import Messages, logger
from converters.tensorrt.profiles import Profile

GIBIBYTE = 1024**3
_SUPPORTED = (10, 11)


class HardwareCompatibility(StrEnum):
    """On which GPUs a plan may be loaded; the wider, the slower it may be."""

    NONE = "none"
    """Only on the model of GPU it was built on."""
    SAME_COMPUTE_CAPABILITY = "same-compute-capability"
    AMPERE_PLUS = "ampere-plus"
    """On every architecture from Ampere (SM80) on."""


@dataclass(frozen=True)
class Options:
    """How to build. `timing_cache` is what an earlier build on the same GPU and TensorRT version gave, empty for a new
    one, None for none.

    `optimization_level` is TensorRT's, 0 to 5: how long it looks for fast kernels. `threads` is how many it may use.
    `compute_capabilities` is for TensorRT-RTX alone: the architectures to compile for, such as SM86.
    """

    profiles: Sequence[Profile] = ()
    workspace_bytes: int = 4 * GIBIBYTE
    hardware_compatibility: HardwareCompatibility = HardwareCompatibility.NONE
    timing_cache: bytes | None = None
    optimization_level: int = 3
    threads: int | None = None
    compute_capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """A serialized plan. `timing_cache` is what the next build may start from; `listing` are the builder's layers."""

    plan: bytes
    timing_cache: bytes | None
    version: str
    warnings: tuple[str, ...]
    listing: str


def build(api: Any, model: Path, options: Options) -> Built:
    """Build the plan of the ONNX file `model`. Raises ConversionFailed with what the parser or the builder said."""
    messages = Messages()
    builder = api.Builder(logger(api, messages))
    if options.threads is not None:
        builder.max_threads = options.threads
    network = _parsed(api, builder, model, messages)
    config = builder.create_builder_config()
    _configure(api, config, options)
    _add_profiles(builder, config, network, options.profiles, messages)
    cache = None if options.timing_cache is None else _attach_cache(config, options.timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ConversionFailed(
            f"TensorRT {api.__version__} built no plan of the graph: {_said(messages)}",
            "Raise the workspace limit where it says that memory was missing; else the layer it names has to change.",
        )
    return Built(
        plan=bytes(plan),
        timing_cache=bytes(cache.serialize()) if cache is not None else None,
        version=api.__version__,
        warnings=tuple(messages.warnings),
        listing=messages.listing,
    )


def check_version(api: Any) -> None:
    """Raise ConversionFailed for a `tensorrt` that this path was not written for."""
    major = int(api.__version__.partition(".")[0])
    if major not in _SUPPORTED:
        raise ConversionFailed(
            f"TensorRT {api.__version__} is installed, and plans are built with 10 and 11.",
            'Install one of them: pip install "tensorrt>=10,<12".',
        )


def _parsed(api: Any, builder: Any, model: Path, messages: Messages) -> Any:
    """The strongly typed network of the file."""
    flag = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = api.OnnxParser(network, logger(api, messages))
    if not parser.parse(model.read_bytes(), str(model)):  # the path is for weights in files beside it
        raise ConversionFailed(
            f"TensorRT {api.__version__} does not take the graph: {_parser_errors(parser) or _said(messages)}",
            "Convert the model again: the canonical file keeps to what TensorRT takes, and says what breaks its rules.",
        )
    return network


def _configure(api: Any, config: Any, options: Options) -> None:
    config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    config.builder_optimization_level = options.optimization_level
    # With the default, only names, nobody could say afterwards which layers run in INT8.
    config.profiling_verbosity = api.ProfilingVerbosity.DETAILED
    if options.hardware_compatibility is not HardwareCompatibility.NONE:
        level = options.hardware_compatibility.name
        config.hardware_compatibility_level = getattr(api.HardwareCompatibilityLevel, level)
    if options.compute_capabilities:
        config.num_compute_capabilities = len(options.compute_capabilities)
        for index, name in enumerate(options.compute_capabilities):
            config.set_compute_capability(getattr(api.ComputeCapability, name), index)


def _add_profiles(builder: Any, config: Any, network: Any, profiles: Sequence[Profile], messages: Messages) -> None:
    _refuse_shape_inputs(network)
    for number, shapes in enumerate(profiles):
        profile = builder.create_optimization_profile()
        try:
            for name, (least, best, greatest) in shapes.shapes.items():
                profile.set_shape(name, least, best, greatest)
        except ValueError as error:
            raise _profile_refused(number, str(error)) from error
        if config.add_optimization_profile(profile) < 0:
            raise _profile_refused(number, _said(messages))


def _refuse_shape_inputs(network: Any) -> None:
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    shapes = [tensor.name for tensor in inputs if tensor.is_shape_tensor]
    if shapes:
        raise ConversionFailed(
            f"The input {', '.join(shapes)} decides shapes inside the graph, and a plan would need its values.",
            "Export the model so that shapes follow from the shapes of its inputs.",
        )


def _profile_refused(number: int, why: str) -> ConversionFailed:
    return ConversionFailed(
        f"TensorRT does not take the optimisation profile {number}: {why}",
        "Give buckets that lie within the dimensions that vary in the graph.",
    )


def _attach_cache(config: Any, earlier: bytes) -> Any:
    """The cache the builder reads and adds to. One of another GPU or version is left out, not an error."""
    cache = config.create_timing_cache(earlier)
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _parser_errors(parser: Any) -> str:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    return "; ".join(f"{error.node_operator()} {error.node_name()}: {_first_line(error.desc())}" for error in errors)


def _first_line(text: str) -> str:
    """The parser's sentence: in the lines below it, each layer of the library repeats it in its own words."""
    return " ".join(text.splitlines()[:2])


def _said(messages: Messages) -> str:
    return "; ".join(messages.errors) or "it did not say why"
