"""Handing in a model: the name and its price first, then versions whose files were uploaded before."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from converters.child import Limits, inspect_source
from converters.errors import ConversionFailed, SourceInvalid
from hub.artefacts import repository as artefacts
from hub.billing import prices
from hub.catalogue import repository
from hub.catalogue.schemas import NewModel, NewVersion
from hub.errors import Conflict, NotFound, Unavailable, Unprocessable
from hub.jobs import queue
from hub.jobs.models import Job
from registry.database import Database, WriteSession
from registry.spec.tasks import TASKS
from registry.store import ArtefactStore
from registry.tables import Model, Version

_INSPECTION = Limits(seconds=60, memory_bytes=4 * 1024**3)
_AT_ONCE = 2
"""Inspections under way at a time: each is a process of its own."""


async def register_model(session: WriteSession, tenant_id: UUID, new: NewModel) -> Model:
    """A new model with its prices. Raises `Unprocessable` for a missing price, `Conflict` for a name that is taken."""
    prices.check_complete(TASKS[new.task], new.prices)
    model = Model(
        tenant_id=tenant_id,
        name=new.name,
        task=new.task,
        visibility=new.visibility,
        description=new.description,
    )
    session.add(model)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"You have a model named {new.name!r} already.", param="name", reason="exists") from error
    prices.set_prices(session, model.id, new.prices)
    await session.flush()
    await session.refresh(model)
    return model


class VersionRegistration:
    """Registers versions: looks at the files in a process of its own before anything is written."""

    def __init__(self, database: Database, store: ArtefactStore, work_directory: Path, *, allow_pickle: bool) -> None:
        self._allow_pickle = allow_pickle
        self._database = database
        self._store = store
        self._work_directory = work_directory
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def register(self, tenant_id: UUID, name: str, new: NewVersion) -> tuple[Version, Job]:
        """A new version and the job that converts it.

        Raises `NotFound` for the model, `Unprocessable` for files that were not uploaded or are not a model. Two
        transactions, because inspecting files takes seconds and must not hold a connection.
        """
        model = await self._check_files(tenant_id, name, new)
        _check_budget(model.task, new)
        if new.files:  # what MLflow has is fetched and inspected by the job
            async with self._places:
                await self._inspect(model.task, new)
        async with self._database.write() as session:
            version = await repository.add_version(session, model, new)
            job = queue.enqueue(session, tenant_id, version.id)
        return version, job

    async def _check_files(self, tenant_id: UUID, name: str, new: NewVersion) -> Model:
        async with self._database.read() as session:
            model = await repository.own_model(session, tenant_id, name)
            if model is None:
                raise NotFound(f"You have no model {name!r}.", param="name", remedy="Register it with POST /v1/models.")
            hashes = set(new.files.values())
            missing = hashes - await artefacts.owned(session, tenant_id, hashes)
        if missing:
            raise Unprocessable(
                f"These files were not uploaded: {sorted(missing)}.",
                param="files",
                reason="artefact_missing",
                remedy="Upload each with POST /v1/artefacts and use the sha256 of the answer.",
            )
        return model

    async def _inspect(self, task: str, new: NewVersion) -> None:
        with tempfile.TemporaryDirectory(dir=self._work_directory, prefix="inspect-") as directory:
            source = Path(directory) / "source"
            await place_files(self._store, new.files, source)
            try:
                await inspect_source(source, task, _INSPECTION, allow_pickle=self._allow_pickle)
            except SourceInvalid as error:
                raise Unprocessable(
                    error.message, param="files", reason="source_invalid", remedy=error.remedy
                ) from error
            except ConversionFailed as error:
                raise Unavailable(error.message, reason="inspection", remedy=error.remedy) from error


def _check_budget(task: str, new: NewVersion) -> None:
    known = [criterion.name for criterion in TASKS[task].criteria]
    unknown = sorted(set(new.budget) - set(known))
    if unknown:
        raise Unprocessable(
            f"The task {task} is not judged by {unknown[0]!r}.",
            param="budget",
            reason="unknown_criterion",
            remedy=f"Its criteria are {', '.join(known)}.",
        )
    for criterion in TASKS[task].criteria:
        if criterion.name in new.budget and not criterion.can_be(new.budget[criterion.name]):
            raise Unprocessable(
                f"{criterion.name} is at most 1: nothing keeps a minimum of {new.budget[criterion.name]:g}.",
                param=f"budget.{criterion.name}",
                reason="impossible_bound",
                remedy="Give a minimum of at most 1.",
            )


async def place_files(store: ArtefactStore, files: dict[str, str], directory: Path) -> None:
    """Lay files from the store out under their paths in `directory`, which is made."""
    for path, sha256 in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        await store.fetch(sha256, target)
