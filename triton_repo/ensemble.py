"""The published form of a version on a GPU: an ensemble with the public signature over front, plan and back.

On the CPU one Python model decodes, runs the graph and encodes. A plan is run by Triton's own backend, so that there
the same code stands in front of it and behind it: the front makes the graph's inputs, padded to the lengths that the
plan has profiles for, and counts what is billed; the core batches what has one length; the back makes the answer.
A version's models have its name, and Triton version 1, so that nothing is shared between two versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from registry.spec.signature import Signature, TensorSpec
from triton_repo.config import USAGE, ModelConfig, inputs_of, outputs_of
from triton_repo.plan_config import PlanConfig

_PLATFORM = "ensemble"
_VERSION = 1
_INSIDE = "inside."
"""Before the names of tensors between two steps: a graph may call its input what the public one is called."""

FRONT, CORE, BACK = "front", "core", "back"
STAGE, BUCKETS = "stage", "buckets"
"""Parameters of front and back: which of them it is, and the lengths to pad to."""


@dataclass(frozen=True)
class Step:
    """One model of an ensemble: the ensemble's tensor for each of the model's inputs and outputs, by their names."""

    model: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class EnsembleConfig:
    """How Triton runs several models as one. A step has to give `conch_usage`."""

    name: str
    signature: Signature
    max_batch: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Plan:
    """What the plan of a version is: the graph's own signature, and what its profiles were built for.

    `buckets` are the lengths of the profiles in order; `carried` are the graph's inputs that the back needs as well,
    such as a mask to pool under.
    """

    signature: Signature
    buckets: tuple[int, ...]
    preferred_batch: int
    carried: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True)
class Release:
    """The configurations of one version, which are loaded through `ensemble`."""

    front: ModelConfig
    core: PlanConfig
    back: ModelConfig
    ensemble: EnsembleConfig


@dataclass(frozen=True)
class Tuning:
    """What an operator may set: how long a batch waits for company, instances of each step, and on which GPUs."""

    max_queue_delay_us: int = 0
    instances: int = 1
    gpus: tuple[int, ...] = ()


def release(name: str, public: Signature, plan: Plan, max_batch: int, tuning: Tuning) -> Release:
    """The configurations of the version `name`, whose public signature is that of its form for the CPU."""
    given = tuple(dict.fromkeys((*plan.signature.inputs, *plan.carried)))
    front, core, back = (f"{name}__{stage}" for stage in (FRONT, CORE, BACK))
    buckets = ",".join(map(str, plan.buckets))
    return Release(
        front=ModelConfig(
            front,
            Signature(public.inputs, given),
            max_batch,
            instances=tuning.instances,
            parameters={STAGE: FRONT, BUCKETS: buckets},
        ),
        core=PlanConfig(
            core,
            plan.signature,
            max_batch,
            profiles=len(plan.buckets),
            preferred_batch_sizes=(plan.preferred_batch,),
            max_queue_delay_us=tuning.max_queue_delay_us,
            instances=tuning.instances,
            gpus=tuning.gpus,
        ),
        back=ModelConfig(
            back,
            Signature((*plan.signature.outputs, *plan.carried), public.outputs),
            max_batch,
            usage=False,
            instances=tuning.instances,
            parameters={STAGE: BACK},
        ),
        ensemble=EnsembleConfig(
            name,
            public,
            max_batch,
            (
                Step(front, _outside(public.inputs), {**_inside(given), USAGE.name: USAGE.name}),
                Step(core, _inside(plan.signature.inputs), _inside(plan.signature.outputs)),
                Step(back, _inside((*plan.signature.outputs, *plan.carried)), _outside(public.outputs)),
            ),
        ),
    )


def render(config: EnsembleConfig) -> str:
    """The text of `config.pbtxt`; equal configurations give equal bytes."""
    text: str = text_format.MessageToString(_to_message(config))
    return text


def _to_message(config: EnsembleConfig) -> pb.ModelConfig:
    steps = [
        pb.ModelEnsembling.Step(
            model_name=step.model,
            model_version=_VERSION,
            input_map=_sorted(step.inputs),
            output_map=_sorted(step.outputs),
        )
        for step in config.steps
    ]
    return pb.ModelConfig(
        name=config.name,
        platform=_PLATFORM,
        max_batch_size=config.max_batch,
        input=inputs_of(config.signature.inputs),
        output=outputs_of((*config.signature.outputs, USAGE)),
        ensemble_scheduling=pb.ModelEnsembling(step=steps),
    )


def _outside(tensors: tuple[TensorSpec, ...]) -> dict[str, str]:
    return {tensor.name: tensor.name for tensor in tensors}


def _inside(tensors: tuple[TensorSpec, ...]) -> dict[str, str]:
    return {tensor.name: f"{_INSIDE}{tensor.name}" for tensor in tensors}


def _sorted(names: Mapping[str, str]) -> dict[str, str]:
    return {key: names[key] for key in sorted(names)}
