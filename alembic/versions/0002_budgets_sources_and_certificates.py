"""budgets, MLflow sources and signed certificates of versions"""

import hashlib
import json

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
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("select id, certificate from versions where certificate ->> 'format' = '1'")
    ).fetchall()
    for version_id, certificate in rows:
        connection.execute(
            sa.text("update versions set certificate = cast(:new as jsonb) where id = :id"),
            {"new": json.dumps(_second_format(certificate)), "id": version_id},
        )


def downgrade() -> None:
    """Certificates stay in the second format: what it says more cannot be said in the first."""
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


def _second_format(certificate: dict) -> dict:
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


def _load(entry: dict) -> dict:
    kept = {key: value for key, value in entry.items() if key not in ("rows", "tokens")}
    return {**kept, "load": f"{entry['rows']} × {entry['tokens']} tokens"}


def _combined(files: dict, prefix: str) -> str | None:
    lines = "".join(f"{path} {sha256}\n" for path, sha256 in sorted(files.items()) if path.startswith(prefix))
    return hashlib.sha256(lines.encode()).hexdigest() if lines else None
