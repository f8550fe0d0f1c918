"""Servers that somebody else runs: named in the environment, checked once, never started or stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.embedded.errors import CannotStart, NotReady
from hub.embedded.health import check_postgres, check_redis, check_triton


class ExternalServers(BaseSettings):
    """The variables that make `conch up` use a server instead of its own; the hub reads the same ones."""

    model_config = SettingsConfigDict(env_prefix="CONCH_", env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    triton_urls: str | None = None
    triton_key: SecretStr | None = None
    model_repository: Path | None = None


@dataclass(frozen=True)
class ExternalServer:
    """One such server; `variable` names where its address came from."""

    name: str
    address: str
    variable: str
    question: Callable[[], Awaitable[str]]
    start_seconds: float = 0.0

    async def launch(self) -> None:
        """Nothing to start."""

    async def check(self) -> str:
        """Its version. Raises NotReady."""
        return await self.question()

    async def reach(self) -> str:
        """Its version; raises CannotStart naming the variable where it does not answer."""
        try:
            return await self.check()
        except NotReady as error:
            raise CannotStart(
                f"{self.name} at {self.address} does not answer ({error}).",
                f"Start it, or correct {self.variable}, or unset it to use the embedded one.",
            ) from error


def external_postgres(url: SecretStr) -> ExternalServer:
    """The PostgreSQL behind CONCH_DATABASE_URL."""
    value = url.get_secret_value()
    plain = value.replace(
        "postgresql+psycopg://", "postgresql://", 1
    )  # SQLAlchemy's spelling; libpq has none for drivers
    return ExternalServer("PostgreSQL", without_secrets(value), "CONCH_DATABASE_URL", lambda: check_postgres(plain))


def external_redis(url: SecretStr) -> ExternalServer:
    """The Redis behind CONCH_REDIS_URL."""
    value = url.get_secret_value()
    return ExternalServer("Redis", without_secrets(value), "CONCH_REDIS_URL", lambda: check_redis(value))


def external_triton(urls: str, key: SecretStr | None) -> ExternalServer:
    """The Triton servers behind CONCH_TRITON_URLS, as one part: all must answer."""
    addresses = [address.strip() for address in urls.split(",") if address.strip()]
    secret = key.get_secret_value() if key else None

    async def question() -> str:
        versions = [await check_triton(address, secret) for address in addresses]
        return ", ".join(sorted(set(versions)))

    return ExternalServer("Triton", ", ".join(addresses), "CONCH_TRITON_URLS", question)


def without_secrets(url: str) -> str:
    """The URL without user, password and query: fit to be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
