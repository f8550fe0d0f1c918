"""budgets, MLflow sources and signed certificates of versions"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = ("source", "canonical", "served", "probe", "conversion")
_AFTER = (*_BEFORE, "certificate")


def upgrade() -> None:
    op.add_column(
        "versions",
        sa.Column("budget", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.alter_column("versions", "budget", server_default=None)
    op.add_column("versions", sa.Column("time_limit", sa.Float(), nullable=True))
    op.add_column("versions", sa.Column("source_uri", sa.String(length=1024), nullable=True))
    _roles(_AFTER)
    _rewrite("1", _second_format)


def downgrade() -> None:
    """Certificates go back to the first format: those that were born in it are again what they were.

    Of the others stays what the first format has words for; their signed documents stay in the artefact store. Raises
    ValueError, and changes nothing, where a certificate has a word in it that the code of the first would not read.
    """
    _rewrite("2", _first_format)
    op.execute("delete from version_files where role = 'certificate'")
    _roles(_BEFORE)
    op.drop_column("versions", "source_uri")
    op.drop_column("versions", "time_limit")
    op.drop_column("versions", "budget")


def _roles(words: tuple[str, ...]) -> None:
    name = op.f("ck_version_files_filerole")
    op.drop_constraint(name, "version_files", type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(name, "version_files", f"role in ({listed})")


def _rewrite(written: str, convert: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Rewrite every certificate that is in one format into the other."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "select versions.id, models.name, versions.number, versions.certificate from versions "
            "join models on models.id = versions.model_id where versions.certificate ->> 'format' = :format"
        ),
        {"format": written},
    ).fetchall()
    for version_id, model, number, certificate in rows:
        try:
            converted = convert(certificate)
        except _Unsayable as error:
            raise ValueError(
                f"The certificate of version {number} of the model {model!r} says {error}, for which revision "
                f"{down_revision} has no word. Stay at {revision}, or restore a backup from before it."
            ) from error
        connection.execute(
            sa.text("update versions set certificate = cast(:new as jsonb) where id = :id"),
            {"new": json.dumps(converted), "id": version_id},
        )


class _Unsayable(Exception):
    """What only the second format can say."""


def _second_format(certificate: dict[str, Any]) -> dict[str, Any]:
    """What the first format says, in the words of the second; what was not recorded then is not made up."""
    files = certificate["files"]
    engine, _, version = certificate["engine"].partition(" ")
    canonical = _combined(files, "canonical/")
    return {
        **certificate,
        "format": 2,
        "latency": [_load(entry) for entry in certificate["latency"]],
        "engine": engine,
        "engine_version": version.partition(",")[0],
        "curve": [],
        "layers": [],
        "lowerings": [],
        "selection": None,
        "lineage": {
            "source": _combined(files, "source/") or "",
            "calibration": certificate["calibration"]["sha256"] if certificate["calibration"] else None,
            "canonical": canonical,
            "served": _combined(files, "model/") or "",
        },
        "seconds": 0.0,
        "peak_memory_bytes": 0,
    }


def _first_format(certificate: dict[str, Any]) -> dict[str, Any]:
    """The inverse. That format knew one engine, which it wrote as "onnxruntime 1.32.0, CPU"."""
    if certificate["precision"] not in _FIRST_PRECISIONS:
        raise _Unsayable(f"precision {certificate['precision']!r}")
    kept = {key: value for key, value in certificate.items() if key not in _ONLY_SECOND}
    return {
        **kept,
        "format": 1,
        "accuracy": [
            {key: value for key, value in metric.items() if key not in ("confidence", "maximum")}
            for metric in certificate["accuracy"]
        ],
        "latency": [_rows_and_tokens(entry) for entry in certificate["latency"]],
        "engine": f"{certificate['engine']} {certificate['engine_version']}, CPU",
    }


_FIRST_PRECISIONS = ("int8", "float32")
_ONLY_SECOND = (
    *("engine_version", "curve", "layers", "lowerings", "selection", "lineage"),
    *("seconds", "peak_memory_bytes"),
)
_LOAD = re.compile(r"(?P<rows>[0-9]+)(?: × (?P<tokens>[0-9]+) tokens|[^0-9].*)?")


def _load(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key not in ("rows", "tokens")}
    tokens = f" × {entry['tokens']} tokens" if entry["tokens"] is not None else " rows"
    return {**kept, "load": f"{entry['rows']}{tokens}"}


def _rows_and_tokens(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key != "load"}
    match = _LOAD.fullmatch(entry["load"])
    if match is None:
        raise _Unsayable(f"load {entry['load']!r}")
    tokens = match["tokens"]
    return {**kept, "rows": int(match["rows"]), "tokens": int(tokens) if tokens is not None else None}


def _combined(files: dict[str, str], prefix: str) -> str | None:
    lines = "".join(f"{path} {sha256}\n" for path, sha256 in sorted(files.items()) if path.startswith(prefix))
    return hashlib.sha256(lines.encode()).hexdigest() if lines else None
