"""A real Conch for the tests of the hub: started once, with the sample model, on free ports, stopped at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import openai
import psycopg
import pytest

from hub.migrations import upgrade
from tests.hub.scratch import scratch_database
from tests.hub.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Conch with the sample model `minilm` and the model `tiny` of the task tensor."""
    with running_stack(tmp_path_factory.mktemp("conch"), sample=True) as stack:
        yield stack


@pytest.fixture(scope="session")
def tenant(stack: Stack) -> Iterator[httpx.Client]:
    """The demo tenant, over plain HTTP."""
    with stack.client(stack.demo_key) as client:
        yield client


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Iterator[httpx.Client]:
    """The operator, over plain HTTP."""
    with stack.client(stack.admin_key) as client:
        yield client


@pytest.fixture(scope="session")
def stranger(stack: Stack, admin: httpx.Client) -> Iterator[httpx.Client]:
    """Another tenant, with every scope."""
    with stack.client(stack.new_tenant(admin, "stranger")) as client:
        yield client


@pytest.fixture
def openai_client(stack: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, with only its address changed."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.demo_key, max_retries=0) as client:
        yield client


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection to the database behind the hub, to look at what was written."""
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the ONNX model y = 2x + 1 over rows of four numbers."""
    from tests.hub.stack import write_tiny

    directory = tmp_path_factory.mktemp("tiny")
    write_tiny(directory)
    return directory


@pytest.fixture(scope="module")
def scratch_url(stack: Stack) -> Iterator[str]:
    """A migrated database of the module's own in the stack's PostgreSQL."""
    with scratch_database(stack) as url:
        upgrade(url)
        yield url
