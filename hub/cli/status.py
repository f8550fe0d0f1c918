"""How `conch status` looks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer

from hub.embedded.control import PartStatus
from hub.embedded.errors import CannotStart
from hub.embedded.status import status


def run(data: Path, *, as_json: bool) -> int:
    """Show every part; 0 when all are healthy, 1 when one is not or nothing runs."""
    try:
        parts = status(data)
    except CannotStart as error:
        if as_json:
            typer.echo(json.dumps({"running": False, "parts": []}))
        typer.echo(f"conch: {error}", err=True)
        return 1
    if as_json:
        typer.echo(json.dumps({"running": True, "parts": [asdict(part) for part in parts]}, indent=2))
    else:
        _show(parts)
    return 0 if all(part.healthy for part in parts) else 1


def _show(parts: list[PartStatus]) -> None:
    """A table that is as wide as it has to be: an address that was cut could not be used."""
    rows = [("part", "health", "version", "pid", "restarts", "address"), *(_row(part) for part in parts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, part in zip(rows, (None, *parts), strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if part is not None:
            cells[1] = typer.style(cells[1], fg=typer.colors.GREEN if part.healthy else typer.colors.RED)
        typer.echo("  ".join(cells).rstrip())
    for part in parts:
        if not part.healthy:
            typer.echo(f"{part.name}: {part.health}")


def _row(part: PartStatus) -> tuple[str, ...]:
    pid = "external" if part.external else str(part.pid or "")
    return (
        part.name,
        "healthy" if part.healthy else "not healthy",
        part.version,
        pid,
        str(part.restarts),
        part.address,
    )
