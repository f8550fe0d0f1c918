"""Which of two media types a client gets."""

from __future__ import annotations

import pytest

from hub.http.accept import preferred

_JSON, _HTML = "application/json", "text/html"


@pytest.mark.parametrize(
    ("accept", "gets"),
    [
        ("", _JSON),
        ("*/*", _JSON),
        ("text/html", _HTML),
        ("TEXT/HTML", _HTML),
        ("text/*", _HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", _HTML),
        ("application/json, text/html", _JSON),
        ("application/json;q=0.5, text/html", _HTML),
        ("application/json, text/html;q=0.1", _JSON),
        ("text/html;q=0", _JSON),
        ("*/*, text/html;q=0", _JSON),
        ("*/*;q=0.1, application/*;q=0.9, text/html;q=0.5", _JSON),
        ("text/html;q=nan, */*;q=0.1", _JSON),
        ("text/html;q=lots", _JSON),
        ("text/html;charset=utf-8; Q=0.7, application/json;q=0.6", _HTML),
        ("image/png", _JSON),
        (",;,=;q", _JSON),
    ],
)
def test_the_greatest_weight_decides(accept: str, gets: str) -> None:
    assert preferred(accept, (_JSON, _HTML)) == gets
