import asyncio
import os
import random
import signal
from pathlib import Path

import grpc
import numpy as np
import pytest

from registry.spec import runtime
from registry.spec.embedder import Embedder
from registry.spec.hardware import hardware_class
from registry.spec.session import openvino_name
from registry.spec.signature import DataType
from tests.triton_repo import graphs
from tests.triton_repo.calls import affine, call, embed, lookup
from tests.triton_repo.published import AFFINE
from tests.triton_repo.server import Server
from triton_repo.errors import LoadFailed, ModelDied, TritonRepoError
from triton_repo.tensors import infer_request


def texts(count: int) -> list[str]:
    """Distinct texts of 0 to 30 words."""
    chance = random.Random(5)
    lines = {" ".join(f"w{chance.randrange(graphs.WORDS)}" for _ in range(chance.randrange(31))) for _ in range(count)}
    return sorted(lines)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """The published model in this process, for what the served one must answer."""
    directory = graphs.write_embedding(tmp_path_factory.mktemp("reference"))
    return Embedder.open(directory, runtime.read(directory / "runtime.json"), 1)


async def test_every_client_gets_its_own_vectors(triton: Server, embedder: Embedder) -> None:
    sent = texts(1500)
    expected, usage = embedder.embed(sent)
    before = await triton.control.statistics("words")
    limit = asyncio.Semaphore(64)

    async def one(row: int) -> None:
        async with limit:
            answer = await embed(triton.control, [sent[row]])
        np.testing.assert_allclose(answer["embedding"], expected[row : row + 1], atol=1e-6)
        assert answer["conch_usage"].tolist() == usage[row : row + 1].tolist()

    await asyncio.gather(*(one(row) for row in range(len(sent))))
    after = await triton.control.statistics("words")
    assert after.inferences - before.inferences == len(sent)
    assert after.executions - before.executions < len(sent), "nothing was batched"


async def test_requests_of_several_rows_are_split_where_they_were_joined(triton: Server) -> None:
    chance = np.random.default_rng(3)
    sent = [chance.normal(size=(rows, 4)).astype(np.float32) for rows in chance.integers(1, 9, 400)]
    answers = await asyncio.gather(*(affine(triton.control, rows) for rows in sent))
    for rows, answer in zip(sent, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], rows * np.float32(2) + np.float32(1))
        assert answer["conch_usage"].tolist() == [[1]] * len(rows)


async def test_a_row_the_engine_refuses_fails_alone(triton: Server) -> None:
    sent = [[[chance % 10, 3]] if chance % 7 else [[99, 3]] for chance in range(210)]
    answers = await asyncio.gather(*(lookup(triton.control, rows) for rows in sent), return_exceptions=True)
    for rows, answer in zip(sent, answers, strict=True):
        if rows[0][0] == 99:
            assert isinstance(answer, TritonRepoError)
            assert "99" in answer.message
        else:
            assert answer["v"].tolist() == [[rows[0][0] * 10.0, 30.0]]


async def test_a_text_that_is_not_utf8_fails_alone(triton: Server) -> None:
    sent = [[b"w1 \xff"] if number % 5 == 0 else [f"w{number}"] for number in range(60)]
    answers = await asyncio.gather(*(embed(triton.control, text) for text in sent), return_exceptions=True)
    for number, answer in enumerate(answers):
        if number % 5 == 0:
            assert isinstance(answer, TritonRepoError)
            assert answer.message == "refused input: a text is not UTF-8: invalid start byte at byte 3"
        else:
            assert answer["conch_usage"].tolist() == [[3, 0]]


async def test_the_sender_of_a_bad_row_is_told_that_it_is_his(triton: Server) -> None:
    request = infer_request("lookup", {"i": (DataType.INT64, np.array([[99]]))})
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await triton.control.stub.ModelInfer(request, metadata=triton.control.metadata)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_empty_text_and_a_long_one_are_counted(triton: Server) -> None:
    answer = await embed(triton.control, ["", " ".join(["w1"] * 10_000)])
    assert answer["conch_usage"].tolist() == [[2, 0], [graphs.MAX_TOKENS, 10_002 - graphs.MAX_TOKENS]]
    np.testing.assert_allclose(np.linalg.norm(answer["embedding"], axis=1), 1, atol=1e-6)


async def test_requests_of_different_shapes_are_all_answered(triton: Server) -> None:
    sent = [[[number % 10] * (1 + number % 5)] for number in range(100)]
    answers = await asyncio.gather(*(lookup(triton.control, rows) for rows in sent))
    assert [answer["v"].tolist() for answer in answers] == [[[10.0 * i for i in rows[0]]] for rows in sent]


async def test_strings_pass_through_a_tensor_model(triton: Server) -> None:
    answer = await call(triton.control, "exclaim", "s", DataType.BYTES, [["a", "ä"], ["", "\0"]])
    assert answer["t"].tolist() == [[b"a!", "ä!".encode()], [b"!", b"\0!"]]


async def test_shared_memory_is_closed_to_other_users(triton: Server) -> None:
    await embed(triton.control, ["w1 " * 400_000])  # more than the first megabyte: it has to grow
    regions = list(Path("/dev/shm").glob(f"{triton.embedded.shared_memory_prefix}*"))
    assert len(regions) == 4
    assert {region.stat().st_mode & 0o777 for region in regions} == {0o600}


async def test_a_model_whose_process_is_killed_is_reloaded(triton: Server, affine_model: Path) -> None:
    await triton.serve("fragile", affine_model, AFFINE)
    stubs = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if b"models/fragile/" in path.read_bytes()]
    assert len(stubs) == 1
    os.kill(int(stubs[0].name), signal.SIGKILL)
    with pytest.raises(ModelDied):
        await affine(triton.control, [[1, 2, 3, 4]], "fragile")
    assert await triton.control.model_ready("fragile"), "Triton has noticed: ModelDied is no longer needed"
    await triton.control.reload("fragile")
    assert (await affine(triton.control, [[1, 2, 3, 4]], "fragile"))["y"].tolist() == [[3, 5, 7, 9]]
    await triton.control.unload("fragile")


async def test_a_request_whose_deadline_passes_in_the_queue_is_not_run(triton: Server, tmp_path: Path) -> None:
    await triton.serve("slow", graphs.write_slow(tmp_path / "slow"), AFFINE, max_batch=1)
    request = infer_request("slow", {"x": (DataType.FP32, np.ones((1, 4)))})

    async def ask(seconds: float | None) -> bool:
        try:
            await triton.control.stub.ModelInfer(request, metadata=triton.control.metadata, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: PT017
            return False
        return True

    answered = await asyncio.gather(ask(None), *(ask(0.2) for _ in range(20)))
    assert answered[0]
    await ask(None)  # behind whatever is still queued
    assert (await triton.control.statistics("slow")).executions < 10
    await triton.control.unload("slow")


async def test_a_graph_for_openvino_is_served_as_well(triton: Server, tmp_path: Path) -> None:
    directory = graphs.write_affine(tmp_path / "affine")
    (directory / "model.onnx").rename(directory / openvino_name("model"))
    await triton.serve("affine-openvino", directory, AFFINE)
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    answer = await affine(triton.control, rows, "affine-openvino")
    np.testing.assert_array_equal(answer["y"], rows * np.float32(2) + np.float32(1))


async def test_a_version_serves_only_on_the_class_of_processors_it_was_certified_on(
    triton: Server, tmp_path: Path
) -> None:
    directory = graphs.write_affine(tmp_path / "affine")
    runtime.write(runtime.TensorRuntime(exact_x86=False, hardware_class="x86_64 another"), directory / "runtime.json")
    with pytest.raises(LoadFailed, match="certified for x86_64 another"):
        await triton.serve("affine-elsewhere", directory, AFFINE)
    runtime.write(runtime.TensorRuntime(exact_x86=False, hardware_class=hardware_class()), directory / "runtime.json")
    await triton.serve("affine-here", directory, AFFINE)
