"""Put the four models of a version for GPUs into Triton's repository; the ensemble, which is loaded, comes last.

Killed on the way, it leaves models that nothing refers to, and the next publish of the version replaces them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from triton_repo import config as model_config
from triton_repo import ensemble, plan_config
from triton_repo.bundle import write_code
from triton_repo.ensemble import Release
from triton_repo.errors import AlreadyPublished, Unpublishable
from triton_repo.publish import withdraw
from triton_repo.staging import make_durable, staged, sync

_STAGE_FILES = ("runtime.json", "tokenizer.json")
_PLAN = "model.plan"


def publish_ensemble(repository: Path, model_directory: Path, release: Release) -> None:
    """Publish `runtime.json`, `tokenizer.json` and `model.plan` of a directory; then load `release.ensemble.name`.

    Raises AlreadyPublished for a name that is taken, and Unpublishable where a file is missing.
    """
    name = release.ensemble.name
    for needed in (*_STAGE_FILES, _PLAN):
        if not (model_directory / needed).is_file() or (model_directory / needed).is_symlink():
            raise Unpublishable(f"the model directory has no file {needed}", "Publish what a plan was built into.")
    if (repository / name).exists():
        raise AlreadyPublished(f"{name} is already in the repository")
    parts = components(release)
    for part in parts:
        withdraw(repository, part)
    with staged(repository, name) as stage:
        _write_stage(stage / release.front.name, model_directory, model_config.render(release.front))
        _write_plan(stage / release.core.name, model_directory / _PLAN, plan_config.render(release.core))
        _write_stage(stage / release.back.name, model_directory, model_config.render(release.back))
        (stage / name / "1").mkdir(parents=True)  # an ensemble has a version and no file in it
        (stage / name / "config.pbtxt").write_text(ensemble.render(release.ensemble), encoding="utf-8")
        make_durable(stage)
        for part in (*parts, name):
            (stage / part).rename(repository / part)
        sync(repository)


def withdraw_ensemble(repository: Path, release: Release) -> None:
    """Take the version out of the repository again, the ensemble first. Unload it first."""
    for name in (release.ensemble.name, *components(release)):
        withdraw(repository, name)


def components(release: Release) -> tuple[str, str, str]:
    """The names of the models under the ensemble."""
    return release.front.name, release.core.name, release.back.name


def _write_stage(directory: Path, model_directory: Path, config: str) -> None:
    """A Python model with its data and its code."""
    version = directory / "1"
    version.mkdir(parents=True)
    for name in _STAGE_FILES:
        shutil.copyfile(model_directory / name, version / name)
    write_code(version)
    (directory / "config.pbtxt").write_text(config, encoding="utf-8")


def _write_plan(directory: Path, plan: Path, config: str) -> None:
    (directory / "1").mkdir(parents=True)
    shutil.copyfile(plan, directory / "1" / _PLAN)
    (directory / "config.pbtxt").write_text(config, encoding="utf-8")
