"""A version for a GPU, against a real Triton as far as a machine without one goes.

The plan is opened by no machine here: its configuration is taken up to the missing backend, and in its place the same
graph runs in ONNX Runtime, under the same name and signature, so that all around it is the real thing.
"""

import asyncio
import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from registry.spec import runtime
from registry.spec.embedder import Embedder
from registry.spec.runtime import TensorRuntime
from registry.spec.signature import DataType, Signature, TensorSpec
from tests.triton_repo import graphs
from tests.triton_repo.calls import Answer, call
from tests.triton_repo.server import Server
from triton_repo import ensemble, plan_config
from triton_repo.config import ModelConfig
from triton_repo.config import render as render_model
from triton_repo.ensemble import Plan, Release, Tuning, release
from triton_repo.errors import AlreadyPublished, LoadFailed, TritonRepoError, Unpublishable
from triton_repo.publish import publish, withdraw
from triton_repo.publish_ensemble import components, publish_ensemble, withdraw_ensemble
from triton_repo.runtime.embedding_stages import EmbeddingFront

MASK = TensorSpec("attention_mask", DataType.INT64, (-1,))
GRAPH = Signature(
    (TensorSpec("input_ids", DataType.INT64, (-1,)), MASK),
    (TensorSpec("hidden", DataType.FP32, (-1, graphs.DIMENSIONS)),),
)
BUCKETS = (4, 8, graphs.MAX_TOKENS)
PLAN = Plan(GRAPH, BUCKETS, preferred_batch=8, carried=(MASK,))


def release_of(name: str) -> Release:
    return release(name, graphs.EMBEDDING, PLAN, 32, Tuning(max_queue_delay_us=500, instances=2, gpus=(1,)))


def test_the_public_side_is_that_of_the_form_for_the_cpu() -> None:
    """A client, and the hub, see no difference: the same tensors, in the same order, with the same count of usage."""
    cpu, gpu = pb.ModelConfig(), pb.ModelConfig()
    text_format.Parse(render_model(ModelConfig("m", graphs.EMBEDDING, 32)), cpu)
    text_format.Parse(ensemble.render(release_of("m").ensemble), gpu)
    assert list(cpu.input) == list(gpu.input)
    assert list(cpu.output) == list(gpu.output)
    assert cpu.max_batch_size == gpu.max_batch_size
    assert cpu.name == gpu.name


def test_the_core_has_a_profile_for_each_length() -> None:
    message = pb.ModelConfig()
    text_format.Parse(plan_config.render(release_of("m").core), message)
    assert message.platform == "tensorrt_plan"
    (group,) = message.instance_group
    assert group.kind == pb.ModelInstanceGroup.KIND_GPU
    assert list(group.profile) == ["0", "1", "2"]
    assert (group.count, list(group.gpus)) == (2, [1])
    assert list(message.dynamic_batching.preferred_batch_size) == [8]
    assert message.dynamic_batching.max_queue_delay_microseconds == 500
    assert [list(tensor.dims) for tensor in message.input] == [[-1], [-1]]


async def refusal(server: Server, name: str, text: str) -> str:
    """What Triton says to a model of this configuration that has an empty plan."""
    version = server.repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.plan").write_bytes(b"")
    (version.parent / "config.pbtxt").write_text(text)
    with pytest.raises(LoadFailed) as caught:
        await server.control.load(name)
    withdraw(server.repository, name)
    return caught.value.message


async def test_a_plan_is_refused_for_the_missing_backend_alone(triton: Server) -> None:
    core = dataclasses.replace(release_of("x").core, name="x_core")
    assert "unable to find backend library for backend 'tensorrt'" in await refusal(
        triton, "x_core", plan_config.render(core)
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "another"}, "unexpected directory name 'x_wrong' for model 'another'"),
        ({"preferred_batch_sizes": (64,)}, "dynamic batching preferred size must be <= max batch size"),
        ({"signature": Signature((TensorSpec("i", DataType.INT64, (-2,)),), GRAPH.outputs)}, "dimension must be"),
        ({"max_batch": -1}, "'max_batch_size' must be non-negative"),
    ],
)
async def test_a_wrong_plan_is_refused_for_what_is_wrong(triton: Server, wrong: dict, says: str) -> None:
    core = dataclasses.replace(release_of("x").core, **{"name": "x_wrong", **wrong})
    before = len(triton.log.read_text())
    said = await refusal(triton, "x_wrong", plan_config.render(core))
    assert "unable to find backend library" not in said
    assert "failed to poll from model repository" in said
    assert says in triton.log.read_text()[before:]


async def test_an_ensemble_whose_steps_do_not_fit_is_refused_for_that(triton: Server, tmp_path: Path) -> None:
    made = release_of("misfit")
    front, core, back = made.ensemble.steps
    crossed = dataclasses.replace(made.ensemble, steps=(front, dataclasses.replace(core, inputs={}), back))
    with pytest.raises(LoadFailed) as caught:
        await serve(triton, tmp_path, dataclasses.replace(made, ensemble=crossed))
    assert "misfit" in caught.value.message
    assert "unable to find backend library" not in caught.value.message
    withdraw_ensemble(triton.repository, made)


async def test_a_whole_release_lacks_nothing_but_the_backend(triton: Server, tmp_path: Path) -> None:
    made = release_of("whole")
    publish_ensemble(triton.repository, write_model(tmp_path / "model"), made)
    before = len(triton.log.read_text())
    with pytest.raises(LoadFailed, match="whole__core"):
        await triton.control.load("whole")
    log = triton.log.read_text()[before:]
    assert "unable to find backend library for backend 'tensorrt'" in log
    assert "Poll failed" not in log
    for name in components(made):
        await triton.control.unload(name)
    withdraw_ensemble(triton.repository, made)


def write_model(directory: Path) -> Path:
    """What a conversion and the build of a plan leave for publishing."""
    graphs.write_embedding(directory)
    (directory / "model.plan").write_bytes(b"no plan")
    return directory


async def serve(server: Server, directory: Path, made: Release) -> None:
    """Publish a release with ONNX Runtime in the place of the plan, and load it."""
    model = write_model(directory / "model")
    publish_ensemble(server.repository, model, made)
    withdraw(server.repository, made.core.name)
    runtime.write(TensorRuntime(exact_x86=False), model / "runtime.json")
    (model / "tokenizer.json").unlink()
    (model / "model.plan").unlink()
    stand_in = ModelConfig(made.core.name, made.core.signature, made.core.max_batch, parameters={"threads": "1"})
    publish(server.repository, model, stand_in)
    await server.control.load(made.ensemble.name)


async def embed(server: Server, texts: list[str | bytes]) -> Answer:
    return await call(server.control, "gpu", "text", DataType.BYTES, [[text] for text in texts])


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """The same model as one program, which is how it is served on the CPU."""
    directory = graphs.write_embedding(tmp_path_factory.mktemp("reference"))
    return Embedder.open(directory, runtime.read(directory / "runtime.json"), 1)


async def test_front_core_and_back_answer_what_one_program_does(
    triton: Server, tmp_path: Path, embedder: Embedder
) -> None:
    made = release_of("gpu")
    await serve(triton, tmp_path, made)
    chance = random.Random(4)
    texts = [" ".join(f"w{chance.randrange(300)}" for _ in range(chance.randrange(25))) for _ in range(300)]
    requests = [texts[start : start + 1 + start % 3] for start in range(0, 297, 3)]
    answers = await asyncio.gather(*(embed(triton, request) for request in requests))
    for request, answer in zip(requests, answers, strict=True):
        vectors, usage = embedder.embed(request)
        np.testing.assert_allclose(answer["embedding"], vectors, atol=1e-6)
        assert answer["conch_usage"].tolist() == usage.tolist()

    core = await triton.control.statistics(made.core.name)
    assert core.inferences == sum(map(len, requests))
    assert core.executions < len(requests), "the core batched nothing, though requests of one length came together"

    with pytest.raises(TritonRepoError, match="not UTF-8"):
        await embed(triton, [b"\xff"])
    assert set(await embed(triton, ["w1"])) == {"embedding", "conch_usage"}

    for name in ("gpu", *components(made)):  # Triton loads the steps with the ensemble, and leaves them behind
        await triton.control.unload(name)
    states = await triton.control.index()
    assert not any(states[name].ready for name in ("gpu", *components(made)))
    withdraw_ensemble(triton.repository, made)


def test_the_front_pads_to_the_lengths_that_the_plan_has(tmp_path: Path) -> None:
    directory = graphs.write_embedding(tmp_path)
    front = EmbeddingFront(directory, runtime.read(directory / "runtime.json"), BUCKETS)

    def length(*texts: bytes) -> int:
        made = front.run({"text": np.array([[text] for text in texts], dtype=object)})
        assert made["input_ids"].shape == made["attention_mask"].shape == (len(texts), made["input_ids"].shape[1])
        return made["input_ids"].shape[1]

    assert [length(b""), length(b"w1 w2"), length(b"w1 w2 w3"), length(b"w1", b"w1 w2 w3")] == [4, 4, 8, 8]
    assert length(b"w1 " * 40) == 16


def test_a_plan_for_shorter_texts_than_the_model_reads_is_refused(tmp_path: Path) -> None:
    directory = graphs.write_embedding(tmp_path)
    with pytest.raises(ValueError, match="up to 16 tokens"):
        EmbeddingFront(directory, runtime.read(directory / "runtime.json"), (4, 8))


def files(repository: Path) -> set[str]:
    return {str(path.relative_to(repository)) for path in repository.rglob("*")}


def test_the_ensemble_is_published_whole_and_withdrawn_whole(tmp_path: Path) -> None:
    repository, made = tmp_path / "models", release_of("gpu")
    publish_ensemble(repository, write_model(tmp_path / "model"), made)
    assert sorted(path.name for path in repository.iterdir()) == ["gpu", "gpu__back", "gpu__core", "gpu__front"]
    assert (repository / "gpu__core" / "1" / "model.plan").read_bytes() == b"no plan"
    assert (repository / "gpu__front" / "1" / "model.py").stat().st_mode & 0o777 == 0o444
    assert {name for name in files(repository) if name.startswith("gpu/")} == {"gpu/1", "gpu/config.pbtxt"}
    with pytest.raises(AlreadyPublished):
        publish_ensemble(repository, tmp_path / "model", made)
    withdraw_ensemble(repository, made)
    assert not list(repository.iterdir())


def test_what_a_killed_publish_left_is_replaced(tmp_path: Path) -> None:
    repository, made = tmp_path / "models", release_of("gpu")
    model = write_model(tmp_path / "model")
    publish_ensemble(repository, model, made)
    complete = files(repository)
    withdraw(repository, "gpu")
    withdraw(repository, made.back.name)
    publish_ensemble(repository, model, made)
    assert files(repository) == complete
    assert set(components(made)) < {path.name for path in repository.iterdir()}


def test_a_missing_file_and_a_bad_name_publish_nothing(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    with pytest.raises(Unpublishable):
        publish_ensemble(tmp_path / "models", model, release_of("../gpu"))
    (model / "model.plan").unlink()
    with pytest.raises(Unpublishable, match=r"no file model\.plan"):
        publish_ensemble(tmp_path / "models", model, release_of("gpu"))
    assert not (tmp_path / "models").exists()
