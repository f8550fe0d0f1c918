"""The artefact store in a directory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from registry.store import ArtefactMissing, LocalStore, NotAFile, StoredArtefact
from tests.unprivileged import unprivileged


async def _stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_the_same_content_is_one_file_however_it_comes(tmp_path: Path) -> None:
    store, original = LocalStore(tmp_path / "store"), tmp_path / "original"
    original.write_bytes(b"abcdef")
    expected = StoredArtefact(hashlib.sha256(b"abcdef").hexdigest(), 6)
    assert await store.put(_stream(b"abcdef")) == expected
    assert await store.put(_stream(b"abc", b"", b"def")) == expected
    assert await store.put_file(original) == expected
    [kept] = _files(tmp_path / "store")
    assert kept.read_bytes() == b"abcdef"


async def test_many_who_put_the_same_at_once_keep_one_file(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    stored = await asyncio.gather(*(store.put(_stream(b"same" * 1000)) for _ in range(10)))
    assert len(set(stored)) == 1
    assert len(_files(tmp_path)) == 1


async def test_a_stream_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise ConnectionError

    store = LocalStore(tmp_path)
    with pytest.raises(ConnectionError):
        await store.put(broken())
    assert _files(tmp_path) == []


async def test_a_put_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    arrived, store = asyncio.Event(), LocalStore(tmp_path)

    async def endless() -> AsyncIterator[bytes]:
        yield b"some"
        arrived.set()
        await asyncio.Event().wait()

    put = asyncio.create_task(store.put(endless()))
    await arrived.wait()
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert _files(tmp_path) == []


async def test_what_was_put_is_fetched_as_a_copy_of_ones_own(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    stored = await store.put(_stream(b"content"))
    for name in ("one", "two"):
        await store.fetch(stored.sha256, tmp_path / name)
    (tmp_path / "one").write_bytes(b"changed")
    assert (tmp_path / "two").read_bytes() == b"content"
    await store.fetch(stored.sha256, tmp_path / "three")
    assert (tmp_path / "three").read_bytes() == b"content"


async def test_what_is_in_the_store_is_read_only(tmp_path: Path) -> None:
    await LocalStore(tmp_path).put(_stream(b"content"))
    [kept] = _files(tmp_path)
    assert kept.stat().st_mode & 0o222 == 0


async def test_a_hash_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtefactMissing) as missing:
        await LocalStore(tmp_path / "store").fetch("0" * 64, tmp_path / "target")
    assert missing.value.sha256 == "0" * 64
    assert not (tmp_path / "target").exists()


async def test_a_store_is_found_again(tmp_path: Path) -> None:
    stored = await LocalStore(tmp_path / "store").put(_stream(b"content"))
    await LocalStore(tmp_path / "store").fetch(stored.sha256, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"content"


def _link(path: Path) -> None:
    path.with_name("secret").write_bytes(b"secret")
    path.symlink_to("secret")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("make", [_link, _socket, os.mkfifo, Path.mkdir], ids=["link", "socket", "pipe", "directory"])
async def test_what_is_no_regular_file_is_neither_read_nor_waited_for(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    store, path = LocalStore(tmp_path / "store"), tmp_path / "made"
    make(path)
    with pytest.raises(NotAFile, match="'made' is not a regular file"):
        await store.put_file(path)
    assert _files(tmp_path / "store") == []


def test_a_file_that_may_not_be_read_is_refused_like_those() -> None:
    def work(directory: Path) -> None:
        (directory / "made").touch(mode=0)
        with pytest.raises(NotAFile, match="'made' is not a regular file that can be read"):
            asyncio.run(LocalStore(directory / "store").put_file(directory / "made"))

    unprivileged(work)
