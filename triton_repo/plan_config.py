"""The `config.pbtxt` of a TensorRT plan: tensors in, tensors out, on a GPU, batched within its profiles."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from registry.spec.signature import Signature
from triton_repo.config import inputs_of, outputs_of

_PLATFORM, _BACKEND = "tensorrt_plan", "tensorrt"


@dataclass(frozen=True)
class PlanConfig:
    """How Triton serves one plan. `signature` is the graph's own, its dimensions without the batch.

    `profiles` is how many optimisation profiles the plan has: an instance opens them all and runs each batch in the one
    that fits. `preferred_batch_sizes` are the batches that the profiles are fastest at. Requests of one shape are
    batched together, which is what whoever pads to a few lengths makes of them. Without `gpus` every GPU has instances.
    """

    name: str
    signature: Signature
    max_batch: int
    profiles: int = 1
    preferred_batch_sizes: tuple[int, ...] = ()
    max_queue_delay_us: int = 0
    instances: int = 1
    gpus: tuple[int, ...] = ()


def render(config: PlanConfig) -> str:
    """The text of `config.pbtxt`; equal configurations give equal bytes."""
    text: str = text_format.MessageToString(_to_message(config))
    return text


def _to_message(config: PlanConfig) -> pb.ModelConfig:
    group = pb.ModelInstanceGroup(
        count=config.instances,
        kind=pb.ModelInstanceGroup.KIND_GPU,
        gpus=config.gpus,
        profile=[str(number) for number in range(config.profiles)],
    )
    return pb.ModelConfig(
        name=config.name,
        platform=_PLATFORM,
        backend=_BACKEND,
        max_batch_size=config.max_batch,
        input=inputs_of(config.signature.inputs),
        output=outputs_of(config.signature.outputs),
        instance_group=[group],
        dynamic_batching=pb.ModelDynamicBatching(
            preferred_batch_size=config.preferred_batch_sizes, max_queue_delay_microseconds=config.max_queue_delay_us
        ),
    )
