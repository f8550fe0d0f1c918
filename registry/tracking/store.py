"""Where MLflow keeps what it knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Tracking:
    """An MLflow. `uri` is a server's, `http://host:5000`, or a database's.

    `artefacts` is the directory for the artefacts of new runs where `uri` is a database; a server has a place of its
    own and does not need it.
    """

    uri: str
    artefacts: Path


def tracking(data: Path, uri: str | None = None) -> Tracking:
    """The MLflow at `uri`; where there is none the embedded one, an SQLite database in `mlflow/` below `data`.

    Artefacts of an SQLite database lie beside it, in `artifacts/`; of any other in `mlflow/artifacts/` below `data`.
    The database's directory is made here, for the owner only; the database itself with its first use.
    """
    home = data.resolve() / "mlflow"
    if uri is None:
        uri = f"{_SQLITE}{home / 'mlflow.db'}"
    if uri.startswith(_SQLITE):
        home = Path(uri.removeprefix(_SQLITE)).resolve().parent
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        uri = f"{_SQLITE}{home / Path(uri).name}"  # whatever directory the process is in
    return Tracking(uri, home / "artifacts")
