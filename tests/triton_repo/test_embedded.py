import asyncio
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.triton_repo.calls import affine
from tests.triton_repo.published import AFFINE
from tests.triton_repo.server import KEY, Server, server_in
from triton_repo import server_files
from triton_repo.config import ModelConfig
from triton_repo.embedded import EmbeddedTriton
from triton_repo.errors import EmbeddedUnavailable
from triton_repo.publish import publish


def shared_memory(server: Server) -> list[Path]:
    return list(Path("/dev/shm").glob(f"{server.embedded.shared_memory_prefix}*"))


async def test_a_killed_server_leaves_nothing_that_prevents_the_next(tmp_path: Path, affine_model: Path) -> None:
    server = server_in(tmp_path / "triton")
    await server.start()
    await server.serve("affine", affine_model, AFFINE)
    asking = asyncio.gather(*(affine(server.control, [[0, 1, 2, 3]]) for _ in range(50)), return_exceptions=True)
    await asyncio.sleep(0)
    await server.stop(signal.SIGKILL)
    await asking
    await server.start()
    try:
        await server.control.load("affine")
        assert (await affine(server.control, [[0, 1, 2, 3]]))["y"].tolist() == [[1, 3, 5, 7]]
        assert len(shared_memory(server)) == 1, "the killed server's memory was removed"
    finally:
        await server.stop()
    assert shared_memory(server) == []


async def test_serving_changes_nothing_that_was_published(triton: Server, affine_model: Path) -> None:
    await triton.serve("unchanged", affine_model, AFFINE)
    published = ModelConfig("published", AFFINE, 32, parameters={"threads": "1"})
    publish(triton.repository, affine_model, published)
    await affine(triton.control, [[0, 1, 2, 3]], "unchanged")
    served, untouched = (
        sorted(path.relative_to(triton.repository / name) for path in (triton.repository / name).rglob("*"))
        for name in ("unchanged", "published")
    )
    assert served == untouched
    await triton.control.unload("unchanged")


async def test_http_is_locked_by_the_same_key(triton: Server) -> None:
    def get(path: str, headers: dict[str, str]) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{triton.embedded.http_port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert await asyncio.to_thread(get, "/v2/health/ready", {}) == 200
    assert await asyncio.to_thread(get, "/v2/models/affine", {}) == 403
    assert await asyncio.to_thread(get, "/v2/models/affine", {"conch-key": "another"}) == 403
    assert await asyncio.to_thread(get, "/v2/models/affine", {"conch-key": KEY}) == 200


async def test_the_process_knows_nothing_of_its_parent(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCH_DATABASE_URL", "postgresql://secret")
    launch = triton.embedded.prepare()
    assert "CONCH_DATABASE_URL" not in launch.environment
    assert launch.environment["PATH"].startswith(str(Path(sys.executable).parent))


def test_without_http_there_is_no_http(tmp_path: Path) -> None:
    argv = EmbeddedTriton(tmp_path, tmp_path / "models", 1, 2, None, KEY).prepare().argv
    assert "--allow-http=false" in argv
    assert not [option for option in argv if option.startswith("--http-")]


def test_the_files_are_laid_out_anew_over_broken_links(tmp_path: Path) -> None:
    embedded = EmbeddedTriton(tmp_path, tmp_path / "models", 1, 2, None, KEY)
    embedded.prepare()
    link = tmp_path / "backends" / "python" / "libtriton_python.so"
    link.unlink()
    link.symlink_to("/nowhere")
    embedded.prepare()
    assert link.resolve(strict=True).name == "libtriton_python.so"


def test_what_the_machine_lacks_is_said_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = EmbeddedTriton(tmp_path, tmp_path / "models", 1, 2, None, KEY)
    with monkeypatch.context() as machine:
        machine.setattr(server_files, "find_spec", lambda name: None)
        with pytest.raises(EmbeddedUnavailable) as missing:
            embedded.prepare()
        assert "pip install '.[embedded]'" in missing.value.remedy
    monkeypatch.setattr(Path, "exists", lambda path: "libpython" not in path.name)
    with pytest.raises(EmbeddedUnavailable) as missing:
        embedded.prepare()
    assert "apt-get install libpython3." in missing.value.remedy
