from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from hub.suggestions import conch, install

SCRIPTS = Path(sysconfig.get_path("scripts"))


def test_a_program_that_is_on_path_is_named_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{SCRIPTS}:/usr/bin")
    assert conch("down", "--data", Path("/my data")) == "conch down --data '/my data'"


@pytest.mark.parametrize("other", [True, False])
def test_a_program_that_is_not_on_path_is_named_so_that_it_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: bool
) -> None:
    if other:
        (tmp_path / "conch").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "conch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    assert conch("--version").startswith(str(SCRIPTS))
    subprocess.run(conch("--version"), shell=True, check=True)


def test_without_a_script_the_module_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert " -m hub" in conch("status")
    subprocess.run(conch("--version"), shell=True, check=True)


def test_packages_come_from_the_source_tree() -> None:
    assert 'pip install ".[convert,embedded]"' in install("convert", "embedded")
