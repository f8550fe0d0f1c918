"""Bringing the database's schema up to date."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from registry.database import driver_url

_SCRIPTS = Path(__file__).parent.parent / "alembic"


def configuration(database_url: str) -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["url"] = driver_url(database_url)
    return config


def upgrade(database_url: str) -> None:
    """Bring the schema to the newest revision; does nothing where it is there."""
    command.upgrade(configuration(database_url), "head")
