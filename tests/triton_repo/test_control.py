import asyncio
from pathlib import Path

import pytest

from tests.triton_repo.calls import affine
from tests.triton_repo.published import AFFINE
from tests.triton_repo.server import KEY, Server, server_in
from triton_repo.config import ModelConfig
from triton_repo.control import TritonControl
from triton_repo.errors import KeyRefused, LoadFailed, TritonRepoError, Unreachable
from triton_repo.publish import publish


async def test_a_model_that_cannot_be_opened_says_why_and_hurts_nobody(triton: Server, affine_model: Path) -> None:
    (affine_model / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(LoadFailed) as failure:
        await triton.serve("broken", affine_model, AFFINE)
    assert "broken" in failure.value.message
    assert "Protobuf parsing failed" in failure.value.message
    assert "Traceback" not in failure.value.message
    assert ".py(" not in failure.value.message
    assert not await triton.control.model_ready("broken")
    state = (await triton.control.index())["broken"]
    assert not state.ready
    assert "Protobuf parsing failed" in state.reason
    assert (await affine(triton.control, [[0, 1, 2, 3]]))["y"].tolist() == [[1, 3, 5, 7]]


async def test_a_configuration_that_triton_refuses_fails_its_load(triton: Server, affine_model: Path) -> None:
    with pytest.raises(LoadFailed, match="nobatch: failed to load"):
        await triton.serve("nobatch", affine_model, AFFINE, max_batch=-1)


async def test_loading_what_was_never_published_fails(triton: Server) -> None:
    with pytest.raises(LoadFailed, match="nothing"):
        await triton.control.load("nothing")
    assert not await triton.control.model_ready("nothing")
    with pytest.raises(TritonRepoError, match="nothing"):
        await triton.control.statistics("nothing")


async def test_a_model_is_unloaded_and_loaded_again(triton: Server, affine_model: Path) -> None:
    await triton.serve("again", affine_model, AFFINE)
    assert await triton.control.model_ready("again")
    await triton.control.unload("again")
    assert not await triton.control.model_ready("again")
    with pytest.raises(TritonRepoError):
        await affine(triton.control, [[0, 1, 2, 3]], "again")
    await triton.control.load("again")
    assert (await affine(triton.control, [[0, 1, 2, 3]], "again"))["y"].tolist() == [[1, 3, 5, 7]]
    await triton.control.unload("again")


async def test_loading_a_model_does_not_disturb_the_others(triton: Server, affine_model: Path) -> None:
    done = asyncio.Event()

    async def keep_asking() -> int:
        answered = 0
        while not done.is_set():
            assert (await affine(triton.control, [[answered, 0, 0, 0]]))["y"][0, 0] == 2 * answered + 1
            answered += 1
        return answered

    asking = asyncio.create_task(keep_asking())
    await triton.serve("neighbour", affine_model, AFFINE)
    done.set()
    assert await asking > 0
    await triton.control.unload("neighbour")


@pytest.mark.parametrize("key", [None, "another-key", KEY + "x"])
async def test_without_the_key_only_health_answers(triton: Server, key: str | None) -> None:
    control = TritonControl(triton.embedded.address, key)
    try:
        assert await control.server_ready()
        for locked in (
            control.index(),
            control.load("affine"),
            control.unload("affine"),
            control.statistics("affine"),
            affine(control, [[0, 1, 2, 3]]),
        ):
            with pytest.raises(KeyRefused):
                await locked
    finally:
        await control.close()
    assert await triton.control.model_ready("affine")


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    control = TritonControl(server_in(tmp_path).embedded.address, KEY)
    try:
        assert not await control.server_ready()
        with pytest.raises(Unreachable):
            await control.index()
        with pytest.raises(Unreachable):
            await control.load("affine")
    finally:
        await control.close()


async def test_the_repository_outlives_the_server(tmp_path: Path, affine_model: Path) -> None:
    server = server_in(tmp_path / "triton")
    await server.start()
    await server.serve("first", affine_model, AFFINE)
    publish(server.repository, affine_model, ModelConfig("second", AFFINE, 8, parameters={"threads": "1"}))
    await server.stop()
    await server.start()
    try:
        index = await server.control.index()
        assert {name: state.ready for name, state in index.items()} == {"first": False, "second": False}
        await server.control.load("second")
        assert (await server.control.index())["second"].ready
    finally:
        await server.stop()
