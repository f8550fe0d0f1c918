"""A model's `config.pbtxt`: rendered from a small value and read back without loss.

Triton's own protobuf message is the grammar, so nothing here knows how the text format quotes or nests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import USAGE_OUTPUT

USAGE = TensorSpec(USAGE_OUTPUT, DataType.INT64, (-1,))
"""What every runtime model counts beside its outputs."""


@dataclass(frozen=True)
class ModelConfig:
    """How Triton serves one published version.

    `signature` is the public one; `usage` adds the output `conch_usage` that billing reads. `max_queue_delay_us` is how
    long a request may wait for company, though batches also grow while the model is busy. `instances` times the threads
    of each should not exceed the cores. `parameters` reach the runtime as they are; `threads` is the one it reads.

    `max_queue_size` is how many requests may wait before the next is refused, and brings timeouts per request with it;
    0 has neither. Any queue policy turns off Triton's prefetching, and without that its batcher loses wake-ups: about
    one request in a thousand then lies in an idle server's queue for 500 ms. So the default is 0, the caller bounds
    what it has in flight, and ends a request by its gRPC deadline, which takes it out of the queue all the same.
    """

    name: str
    signature: Signature
    max_batch: int
    usage: bool = True
    max_queue_delay_us: int = 0
    max_queue_size: int = 0
    preferred_batch_sizes: tuple[int, ...] = ()  # for TensorRT profiles only
    instances: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)


def render(config: ModelConfig) -> str:
    """The text of `config.pbtxt`; equal configurations give equal bytes."""
    text: str = text_format.MessageToString(_to_message(config))
    return text


def parse(text: str) -> ModelConfig:
    """Read what `render` wrote. Raises ValueError for text that says anything a `ModelConfig` cannot."""
    try:
        message = text_format.Parse(text, pb.ModelConfig())
    except text_format.ParseError as error:
        raise ValueError(f"not a model configuration: {error}") from error
    config = _from_message(message)
    if _to_message(config) != message:
        raise ValueError(f"the configuration of {message.name!r} has settings this package does not write")
    return config


def inputs_of(tensors: Iterable[TensorSpec]) -> list[pb.ModelInput]:
    """Tensors as a configuration writes its inputs."""
    return [pb.ModelInput(name=t.name, data_type=_code(t.datatype), dims=t.shape) for t in tensors]


def outputs_of(tensors: Iterable[TensorSpec]) -> list[pb.ModelOutput]:
    """Tensors as a configuration writes its outputs."""
    return [pb.ModelOutput(name=t.name, data_type=_code(t.datatype), dims=t.shape) for t in tensors]


def _to_message(config: ModelConfig) -> pb.ModelConfig:
    batching = pb.ModelDynamicBatching(
        max_queue_delay_microseconds=config.max_queue_delay_us, preferred_batch_size=config.preferred_batch_sizes
    )
    if config.max_queue_size:
        batching.default_queue_policy.timeout_action = pb.ModelQueuePolicy.REJECT
        batching.default_queue_policy.allow_timeout_override = True
        batching.default_queue_policy.max_queue_size = config.max_queue_size
    outputs = (*config.signature.outputs, USAGE) if config.usage else config.signature.outputs
    return pb.ModelConfig(
        name=config.name,
        backend="python",
        max_batch_size=config.max_batch,
        input=inputs_of(config.signature.inputs),
        output=outputs_of(outputs),
        instance_group=[pb.ModelInstanceGroup(count=config.instances, kind=pb.ModelInstanceGroup.KIND_CPU)],
        dynamic_batching=batching,
        parameters={key: pb.ModelParameter(string_value=config.parameters[key]) for key in sorted(config.parameters)},
    )


def _from_message(message: pb.ModelConfig) -> ModelConfig:
    outputs = _tensors(message.output)
    usage = bool(outputs) and outputs[-1] == USAGE
    batching = message.dynamic_batching
    return ModelConfig(
        name=message.name,
        signature=Signature(_tensors(message.input), outputs[:-1] if usage else outputs),
        max_batch=message.max_batch_size,
        usage=usage,
        max_queue_delay_us=batching.max_queue_delay_microseconds,
        max_queue_size=batching.default_queue_policy.max_queue_size,
        preferred_batch_sizes=tuple(batching.preferred_batch_size),
        instances=message.instance_group[0].count if message.instance_group else 0,
        parameters={key: value.string_value for key, value in message.parameters.items()},
    )


def _tensors(messages: Iterable[pb.ModelInput | pb.ModelOutput]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(m.name, _datatype(m.data_type), tuple(m.dims)) for m in messages)


def _code(datatype: DataType) -> int:
    name = "STRING" if datatype is DataType.BYTES else datatype.value
    code: int = pb.DataType.Value(f"TYPE_{name}")
    return code


def _datatype(code: int) -> DataType:
    name = pb.DataType.Name(code).removeprefix("TYPE_")
    return DataType("BYTES" if name == "STRING" else name)
