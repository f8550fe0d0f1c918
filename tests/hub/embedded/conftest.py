from __future__ import annotations

from pathlib import Path

import pytest

from hub.embedded.directory import DataDirectory


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    return directory


@pytest.fixture
def sockets(data: DataDirectory) -> Path:
    path = data.run / "s"
    path.mkdir(mode=0o700)
    return path
