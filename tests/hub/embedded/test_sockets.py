from __future__ import annotations

from pathlib import Path

from hub.embedded.directory import DataDirectory
from hub.embedded.sockets import LONGEST_SOCKET_NAME, LONGEST_SOCKET_PATH, SocketDirectory


def _data(root: Path) -> DataDirectory:
    data = DataDirectory(root)
    data.prepare()
    return data


def test_sockets_are_in_a_shallow_data_directory(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "d")
    data.prepare()
    sockets = SocketDirectory(data).create()
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert len(str(sockets / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH


def test_a_deep_data_directory_gets_a_short_private_one_that_goes_again(tmp_path: Path) -> None:
    data = _data(tmp_path / ("deep" * 25))
    sockets = SocketDirectory(data).create()
    assert not sockets.is_relative_to(tmp_path)
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert len(str(sockets / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH
    assert SocketDirectory(data).find() == sockets
    SocketDirectory(data).remove()
    assert not sockets.exists()


def test_what_a_killed_run_left_goes_at_the_next_one(tmp_path: Path) -> None:
    data = _data(tmp_path / ("deep" * 25))
    left = SocketDirectory(data).create()
    (left / "redis.sock").touch()
    sockets = SocketDirectory(data).create()
    assert sockets != left
    assert not left.exists()
    SocketDirectory(data).remove()


def test_a_directory_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    data = _data(tmp_path / "d")
    precious = tmp_path / "precious"
    precious.mkdir()
    (data.run / "sockets").write_text(str(precious))
    SocketDirectory(data).remove()
    assert precious.exists()
