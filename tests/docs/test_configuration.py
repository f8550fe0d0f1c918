"""The page of settings is what the settings classes say."""

from __future__ import annotations

from pathlib import Path

from hub.settings import ALL_SETTINGS
from hub.settings_reference import REGENERATE, render

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text("utf-8") == render(), f"docs/configuration.md is stale: run `{REGENERATE}`"


def test_every_setting_has_a_meaning_and_a_row() -> None:
    page = render()
    for settings in ALL_SETTINGS:
        for name, field in settings.model_fields.items():
            assert field.description, f"{settings.__name__}.{name} says nothing of what it means"
            variable = f"{settings.model_config['env_prefix']}{name}".upper()
            assert f"| `{variable}` |" in page
