"""Models and versions as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hub.billing.prices import MAX_NANO_AMOUNT
from hub.http.pages import Page
from hub.jobs.schemas import Failure
from hub.tenants.schemas import Name
from registry.spec.certificate import Certificate, Precision
from registry.spec.names import FILE_PATTERN, SHA256_PATTERN
from registry.spec.tasks import SERVED
from registry.tables import VersionState, Visibility
from registry.tracking import SourceUnknown
from registry.tracking.reference import parse

NanoAmount = Annotated[int, Field(strict=True, ge=0, le=MAX_NANO_AMOUNT)]


Prices = Annotated[
    dict[Annotated[str, StringConstraints(max_length=32)], NanoAmount],
    Field(max_length=16, description="Price of each billed unit in nano-dollars: `20` a token is $0.02 a million."),
]


def _known_task(name: str) -> str:
    if name not in SERVED:
        raise ValueError(f"the tasks are {', '.join(SERVED)}")
    return name


def _plain_text(text: str) -> str:
    if not all(character.isprintable() or character in "\n\t" for character in text):
        raise ValueError("only printable characters and line breaks are allowed")
    return text


FilePath = Annotated[
    str,
    StringConstraints(pattern=FILE_PATTERN, max_length=255),
]


def _no_file_is_a_folder(files: dict[str, str]) -> dict[str, str]:
    for path in files:
        if any(other.startswith(path + "/") for other in files):
            raise ValueError(f"{path} cannot be a file and a folder")
    return files


Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]


def _in_mlflow(uri: str) -> str:
    try:
        parse(uri)
    except SourceUnknown as error:
        raise ValueError(str(error)) from error
    return uri


Criterion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
Bound = Annotated[float, Field(strict=True, ge=0, le=1e9, allow_inf_nan=False)]


class NewModel(BaseModel):
    """A model to register."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Unique within the tenant.")
    task: Annotated[str, AfterValidator(_known_task)] = Field(
        description="What the model does; fixes its inputs, outputs and billed units.",
        json_schema_extra={"enum": list(SERVED)},
    )
    prices: Prices
    visibility: Visibility = Field(Visibility.PRIVATE, description="Who may call it.")
    description: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_plain_text)] = ""


class ModelOut(BaseModel):
    """A model. The first five fields are those of OpenAI's model object."""

    id: str = Field(description="The name to call it by: `model`, or `tenant/model` where another tenant owns it.")
    object: Literal["model"] = "model"
    created: int = Field(description="Unix seconds.")
    owned_by: str
    task: str
    visibility: Visibility
    description: str
    prices: dict[str, int] = Field(description="Nano-dollars a unit, now.")


class ModelList(BaseModel):
    """All models the key may call."""

    object: Literal["list"] = "list"
    data: list[ModelOut]
    has_more: bool = False


class NewVersion(BaseModel):
    """A version to convert: files that were uploaded before, under the paths they have in the model's directory."""

    model_config = ConfigDict(extra="forbid")

    files: Annotated[dict[FilePath, Sha256], AfterValidator(_no_file_is_a_folder)] = Field(
        {},
        max_length=64,
        description="Path in the model's directory to the SHA-256 that the upload gave. `calibration.jsonl` (or .txt, "
        ".parquet, .zip) holds your own samples.",
    )
    source_uri: Annotated[str, StringConstraints(max_length=1024), AfterValidator(_in_mlflow)] | None = Field(
        None,
        description="Where MLflow has the model, in place of files: `models:/name/3`, `models:/name@alias`, `runs:/…`.",
    )
    budget: Annotated[dict[Criterion, Bound], Field(max_length=8)] = Field(
        {},
        description='Bounds of the task\'s accuracy criteria in place of its own: `{"cosine": 0.998}`.',
    )
    time_limit_seconds: float | None = Field(
        None,
        strict=True,
        ge=1,
        le=86400,
        allow_inf_nan=False,
        description="The search ends after this long with the best that it has found.",
    )
    precision: Precision = Field(
        Precision.INT8,
        description="`int8` is refused where it would not be accurate; `float32` publishes the model as it is.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> NewVersion:
        if bool(self.files) == (self.source_uri is not None):
            raise ValueError("a version has either files or a source_uri")
        return self


class TensorOut(BaseModel):
    """A tensor of a signature; the shape is one row's."""

    name: str
    datatype: str
    shape: list[int]


class SignatureOut(BaseModel):
    """What a version takes and gives."""

    inputs: list[TensorOut]
    outputs: list[TensorOut]


class VersionSummary(BaseModel):
    """A version in a list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    number: int
    state: VersionState
    requested_precision: Precision = Field(
        validation_alias=AliasChoices("precision", "requested_precision"),
        description="What was asked for; the certificate says what it became.",
    )
    created_at: datetime
    published_at: datetime | None


class VersionOut(VersionSummary):
    """A version."""

    files: dict[str, str] = Field(description="The source files by path, as SHA-256.")
    produced: dict[str, str] = Field(
        description="What the conversion made, by role and name, as SHA-256: the graph that serves, the canonical INT8 "
        "file, the probe, the log and a script to repeat it. `GET /v1/artefacts/{sha256}` downloads each."
    )
    signature: SignatureOut | None
    certificate: Certificate | None
    failure: Failure | None


class CreatedVersion(VersionSummary):
    """A version whose conversion has been queued."""

    job_id: UUID


class Target(BaseModel):
    """A version's share of the traffic."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    weight: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 100


class NewRoute(BaseModel):
    """Where an alias shall point from now on."""

    model_config = ConfigDict(extra="forbid")

    targets: list[Target] = Field(min_length=1, max_length=16)
    reason: Annotated[str, StringConstraints(max_length=500), AfterValidator(_plain_text)] = Field(
        "", description="Why; kept in the history."
    )


class RouteOut(BaseModel):
    """A route that is, or was, in force."""

    alias: str
    revision: int
    targets: list[Target]
    changed_by: str = Field(description="Id of the key that changed it, or `conch`.")
    reason: str
    created_at: datetime


class History(Page[RouteOut]):
    """The routes of an alias, the one in force first."""


class NewPrices(BaseModel):
    """Prices from now on."""

    model_config = ConfigDict(extra="forbid")

    prices: Prices
