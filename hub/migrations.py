"""Bringing the database's schema up to date."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from alembic import command
from alembic.config import Config

from registry.database import driver_url

_BESIDE_THE_PACKAGE = Path(__file__).parent.parent / "alembic"  # a checkout
_INSTALLED = Path(sysconfig.get_path("data")) / "share" / "conch" / "alembic"  # a wheel


def configuration(database_url: str) -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    scripts = _BESIDE_THE_PACKAGE if (_BESIDE_THE_PACKAGE / "env.py").exists() else _INSTALLED
    config.set_main_option("script_location", str(scripts))
    config.attributes["url"] = driver_url(database_url)
    return config


def upgrade(database_url: str) -> None:
    """Bring the schema to the newest revision; does nothing where it is there."""
    command.upgrade(configuration(database_url), "head")
