from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.triton_repo import graphs
from tests.triton_repo.published import AFFINE
from tests.triton_repo.server import Server, server_in


@pytest_asyncio.fixture(scope="session")
async def triton(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One Triton for all tests, with an affine, a look-up and an embedding model loaded."""
    directory = tmp_path_factory.mktemp("triton")
    server = server_in(directory)
    await server.start()
    try:
        await server.serve("affine", graphs.write_affine(directory / "affine"), AFFINE)
        await server.serve("lookup", graphs.write_lookup(directory / "lookup"), graphs.LOOKUP)
        await server.serve("exclaim", graphs.write_exclaim(directory / "exclaim"), graphs.EXCLAIM)
        await server.serve("words", graphs.write_embedding(directory / "words"), graphs.EMBEDDING)
        yield server
    finally:
        await server.stop()
        server.embedded.remove_shared_memory()


@pytest.fixture
def affine_model(tmp_path: Path) -> Path:
    """The directory of a model that a test may publish."""
    return graphs.write_affine(tmp_path / "source" / "affine")
