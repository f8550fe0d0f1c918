"""The commands; each imports what it needs when it runs, so that `conch --help` is there at once."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.certificate import certificate
from hub.cli.extras import fail, needing_extras

app = typer.Typer(
    help="Conch, a model-as-a-service hub on NVIDIA Triton.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
database = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(database, name="db")
app.add_typer(certificate, name="certificate")

DataOption = Annotated[Path, typer.Option("--data", help="The directory that holds everything.", file_okay=False)]
DEFAULT_DATA = Path("data")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"conch {version('conch')}")
        raise typer.Exit


@app.callback()
def _conch(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="CONCH_PORT", help="The hub's port.")] = 8080,
    data: DataOption = DEFAULT_DATA,
    sample: Annotated[bool, typer.Option("--sample/--no-sample", help="Register the sample model.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready; go on in the background.")] = False,
) -> None:
    """Start everything on this machine: PostgreSQL, Redis, Triton, the hub and its worker."""
    with needing_extras():
        from hub.cli.up import run

        sys.exit(run(data, port, sample=sample, detach=detach))


@app.command()
def down(data: DataOption = DEFAULT_DATA) -> None:
    """Stop what `conch up` started, and wait until it has stopped."""
    from hub.embedded.down import down as stop
    from hub.embedded.errors import CannotStart

    try:
        pid = stop(data)
    except CannotStart as error:
        fail(error.message, error.remedy)
    else:
        typer.echo(f"conch is not running on {data}" if pid is None else f"stopped conch (pid {pid})")


@app.command()
def status(
    data: DataOption = DEFAULT_DATA,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show each part of a running `conch up`: address, version, health and process."""
    with needing_extras():
        from hub.cli.status import run

        sys.exit(run(data, as_json=json))


@app.command()
def serve() -> None:
    """Run the hub on servers of your own, named by CONCH_DATABASE_URL, CONCH_REDIS_URL, CONCH_TRITON_URLS, …"""
    from hub.cli.settings import SERVE, require

    require(SERVE)
    with needing_extras():
        from hub.server import run

        run()


@app.command()
def worker() -> None:
    """Run the worker, which converts and publishes models, on servers of your own."""
    from hub.cli.settings import WORKER, require

    require(WORKER)
    with needing_extras():
        from hub.worker import run

        run()


@database.command()
def upgrade() -> None:
    """Bring the database of CONCH_DATABASE_URL to this version."""
    from hub.cli.settings import DATABASE, require

    require(DATABASE)
    with needing_extras():
        from hub.cli.database import run

        run()


@app.command()
def admin_key(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Of the `conch up` that runs on this directory.", file_okay=False),
    ] = None,
) -> None:
    """Print a new platform key for the database of CONCH_DATABASE_URL, or of a running `conch up`."""
    from hub.cli.settings import DATABASE, require

    if data is None:
        require(DATABASE)
    with needing_extras():
        from hub.cli.admin_key import run

        run(data)


@app.command()
def convert(
    source: Annotated[
        str,
        typer.Argument(help="A file, a directory, or MLflow's models:/name/3, models:/name@alias, runs:/id/path."),
    ],
    task: Annotated[
        str,
        typer.Option(
            help="What the model does: embedding, tensor, classification, detection, ocr, voice-activity, speech, "
            "transcription, chat."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A new directory for the result, or that of a conversion that was interrupted.",
            file_okay=False,
        ),
    ],
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CRITERION=NUMBER",
            help="A bound of accuracy; may be repeated.",
            show_default="those of the task",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Samples of yours: .txt, .jsonl, .parquet, or .zip of media.",
            exists=True,
            dir_okay=False,
            show_default="those of the source, else the built-in ones",
        ),
    ] = None,
    precision: Annotated[str, typer.Option(help="int8 or float32.")] = "int8",
    time_limit: Annotated[
        float | None,
        typer.Option(min=1, max=86400, help="Seconds; then the best found so far counts.", show_default="none"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Which samples are drawn.")] = 0,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the conversion.")] = 1,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle", help="Open formats that can carry a program: TorchScript, .pt2.", show_default="off"
        ),
    ] = False,
    check_tensorrt: Annotated[
        bool,
        typer.Option(
            "--check-tensorrt",
            help="Compile the INT8 file with TensorRT-RTX: would a GPU take it?",
            show_default="off",
        ),
    ] = False,
    key: Annotated[
        Path, typer.Option(help="The key that signs; made where it is not there.", dir_okay=False)
    ] = DEFAULT_DATA / "signing-key.pem",
    mlflow: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            envvar="MLFLOW_TRACKING_URI",
            help="Record the conversion as a run in this MLflow, and look for models:/ there.",
            show_default="no run",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the certificate for programs.", show_default="off")
    ] = False,
) -> None:
    """Convert a model to INT8 on this machine and write its certificate; exit code 1 where it is rejected.

    A conversion that was interrupted goes on where it was when it is started again with the same output.

    \b
    Example:
    conch convert model.onnx --task detection -o out --budget matched_90=0.95 --calibration photographs.zip
    """
    with needing_extras():
        from hub.cli import convert as command

        request = command.request(
            {
                "task": task,
                "precision": precision,
                "budget": command.budget(budget or []),
                "time_limit": time_limit,
                "seed": seed,
                "threads": threads,
                "allow_pickle": allow_pickle,
                "check_tensorrt": check_tensorrt,
            }
        )
        options = command.Options(source, output, calibration, key, mlflow or None, request)
        sys.exit(command.run(options, as_json=json))


@app.command()
def doctor(
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="CONCH_PORT", help="The hub's port.")] = 8080,
) -> None:
    """Say whether this machine has what Conch needs, and the line to run where it does not."""
    from hub.cli.doctor import run

    sys.exit(run(port))
