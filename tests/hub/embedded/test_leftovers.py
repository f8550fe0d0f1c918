from __future__ import annotations

import logging
import shutil

import pytest

from hub.embedded.directory import DataDirectory
from hub.embedded.leftovers import remove_unfinished
from triton_repo.staging import staged


def test_what_was_cut_off_is_removed_and_what_was_finished_is_kept(data: DataDirectory) -> None:
    (data.work / "mv_1-abc" / "output").mkdir(parents=True)
    (data.work / "mv_1-abc" / "output" / "model.onnx").touch()
    (data.work / "link").symlink_to(data.artefacts)
    (data.incoming / "tmp1").touch(mode=0o440)
    kept = [data.artefacts / "ab" / "abcd", data.repository / "mv_0" / "config.pbtxt"]
    for path in kept:
        path.parent.mkdir()
        path.touch()
    left = data.root / ".repository-staging" / "mv_1.xyz"
    left.mkdir(parents=True)

    remove_unfinished(data)

    assert list(data.work.iterdir()) == []
    assert list(data.incoming.iterdir()) == []
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_a_publication_under_way_is_left_alone(data: DataDirectory) -> None:
    with staged(data.repository, "mv_2") as stage:
        remove_unfinished(data)
        assert stage.exists()


def test_what_cannot_be_removed_keeps_nothing_from_starting(
    data: DataDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(data.work)
    data.work.touch()
    with caplog.at_level(logging.WARNING):
        remove_unfinished(data)
    assert "could not be removed" in caplog.text
