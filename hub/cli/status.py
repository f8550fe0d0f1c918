"""How `conch status` looks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

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
        typer.echo(f"conch: {error.message}; {error.remedy}", err=True)
        return 1
    if as_json:
        typer.echo(json.dumps({"running": True, "parts": [asdict(part) for part in parts]}, indent=2))
    else:
        _show(parts)
    return 0 if all(part.healthy for part in parts) else 1


def _show(parts: list[PartStatus]) -> None:
    table = Table("part", "address", "version", "health", "pid", "restarts", box=None, pad_edge=False)
    for part in parts:
        colour = "green" if part.healthy else "red"
        pid = str(part.pid) if part.pid is not None else "external"
        table.add_row(part.name, part.address, part.version, f"[{colour}]{part.health}[/]", pid, str(part.restarts))
    Console().print(table)
