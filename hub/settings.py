"""Every setting of Conch, one small class per area; read once at start and handed down.

`docs/configuration.md` is generated from these classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CONCH_", frozen=True, extra="ignore")


class HttpSettings(_Settings):
    """The HTTP interface."""

    host: str = Field("127.0.0.1", description="Address the hub listens on. Loopback unless you say otherwise.")
    port: int = Field(8080, ge=1, le=65535, description="Port the hub listens on.")
    max_body_bytes: int = Field(
        32 * 1024**2, ge=1024, description="Largest body of an inference or control request, in bytes (413 above it)."
    )
    max_upload_bytes: int = Field(
        20 * 1024**3, ge=1024, description="Largest single file that may be uploaded as an artefact, in bytes."
    )


class DatabaseSettings(_Settings):
    """PostgreSQL, where everything that must not be lost is kept."""

    database_url: SecretStr = Field(
        ...,
        description="PostgreSQL as a URL, `postgresql://user:password@host/name`. `conch up` sets it by itself.",
    )
    database_pool: int = Field(5, ge=1, description="Connections each process keeps for the control plane.")


class RedisSettings(_Settings):
    """Redis, where rates are counted."""

    redis_url: SecretStr = Field(
        ...,
        description="Redis as a URL, `redis://host:6379/0` or `unix:///path`. `conch up` sets it by itself.",
    )


class TritonSettings(_Settings):
    """The Triton servers and the repository they load from."""

    triton_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        ..., description="gRPC addresses of the Triton servers, `host:port`, separated by commas."
    )
    triton_key: SecretStr | None = Field(
        None, description="Key of Triton's restricted protocols, when the servers are started with one."
    )
    triton_metrics_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses of Triton's own metrics, in the order of the servers; shown at `/metrics`."
    )
    model_repository: Path = Field(
        ..., description="The directory that every Triton server loads from; the hub publishes into it."
    )
    runtime_instances: int = Field(1, ge=1, description="Instances of each model on a Triton server.")
    runtime_threads: int = Field(
        0, ge=0, description="Threads of one instance; 0 means the cores of this machine divided by the instances."
    )
    max_queue_delay_us: int = Field(
        0,
        ge=0,
        description="How long Triton's dynamic batcher waits for more rows, in microseconds. The hub sends rows that "
        "wait together already: waiting again only adds latency.",
    )

    @field_validator("triton_urls", "triton_metrics_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class StoreSettings(_Settings):
    """The artefact store: every uploaded and every converted file, by its SHA-256."""

    artefact_store: Path = Field(..., description="Directory of the artefact store.")
    work_directory: Path = Field(..., description="Directory for conversions that are under way.")


class SourceSettings(_Settings):
    """What may be handed in as a model."""

    allow_pickle: bool = Field(
        False,
        description="Whether formats that can carry a pickle (TorchScript, .pt2) are opened, in the sandboxed child. A "
        "pickle is a program: allow it where you know who uploads.",
    )


class ConversionLimits(_Settings):
    """What a conversion may use."""

    conversion_seconds: float = Field(
        3600, gt=0, description="A conversion that takes longer is stopped; so is fetching its model from MLflow."
    )
    conversion_memory_bytes: int = Field(
        12 * 1024**3, ge=1024**3, description="A conversion that allocates more is stopped."
    )


class JobSettings(ConversionLimits):
    """Conversions and their limits."""

    signing_key: Path = Field(
        ...,
        description="File of the Ed25519 key that signs certificates; made where it is not there. Keep it: with it "
        "goes the proof of what was signed.",
    )
    mlflow_directory: Path | None = Field(
        None,
        description="Directory of an MLflow store of Conch's own, for where `MLFLOW_TRACKING_URI` is not set. With "
        "neither, conversions are no runs and models cannot be named by `models:/`.",
    )
    mlflow_shared: bool = Field(
        False,
        description="Whether every tenant may convert every model in MLflow. Otherwise a tenant may name what has the "
        "tag `conch.tenant` with its id. `conch up` sets it where MLflow is its own.",
    )
    job_lease_seconds: float = Field(
        30, gt=1, description="A worker that has not been heard of for this long loses its job to another."
    )
    job_attempts: int = Field(3, ge=1, description="How often a job is tried before it counts as failed.")


class LimitSettings(_Settings):
    """Rates of keys that were created without limits of their own."""

    default_requests_per_minute: int = Field(
        600_000, ge=1, description="Requests a minute of a key that does not name its own limit."
    )


class MlflowSettings(_Settings):
    """MLflow, whose models can be converted and where conversions are recorded."""

    model_config = SettingsConfigDict(env_prefix="MLFLOW_")  # the variable is MLflow's own, and MLflow reads it, too

    tracking_uri: SecretStr | None = Field(
        None,
        description="MLflow as a URL, `http://host:5000`. Without it the store in `CONCH_MLFLOW_DIRECTORY` is used. "
        "Credentials are MLflow's own variables, such as `MLFLOW_TRACKING_TOKEN`.",
    )


class LogSettings(_Settings):
    """What the processes write to standard error."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line to write.")


ALL_SETTINGS: tuple[type[_Settings], ...] = (
    HttpSettings,
    DatabaseSettings,
    RedisSettings,
    TritonSettings,
    StoreSettings,
    SourceSettings,
    JobSettings,
    LimitSettings,
    MlflowSettings,
    LogSettings,
)
