"""The child: `python -m converters COMMAND --request request.json`. JSON lines on stdout, its log on stderr."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ValidationError

from converters.errors import LOG_KEPT, ConversionFailed, SourceInvalid, out_of_memory
from converters.invocation import StoredCall
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.sandbox import allocated_bytes, confine

_NEARLY_ALL = 0.8


def main() -> int:
    """Run one command and say how it ended; 0 for a result, 1 for an error."""
    arguments = _arguments()
    reporter = Reporter(_private_stdout())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        call = _stored_call(arguments.request)
    except ConversionFailed as error:
        return _failed(reporter, error)
    return _run(arguments, call, reporter)


def _stored_call(path: Path) -> StoredCall:
    """The request in the file `path`, which a person may have edited. Raises ConversionFailed."""
    try:
        return StoredCall.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConversionFailed(f"{path.name} cannot be read ({error.strerror}).", "Check its path.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise ConversionFailed(f"{path.name} holds no request ({wrong}).", "Correct what it names.") from error


def _run(arguments: argparse.Namespace, call: StoredCall, reporter: Reporter) -> int:
    request = call.request.model_copy(update={"source": arguments.source.absolute()})
    output = arguments.output.absolute()
    cache = arguments.cache.absolute() if arguments.cache else output / "cache"
    walls = confine(call.limits, arguments.parent, request.source, [output, cache]).walls()
    logging.info("The walls around this process: %s.", "; ".join(walls))
    try:
        reporter.result(_result(arguments.command, request, output, cache, reporter, walls).model_dump_json())
    except (SourceInvalid, ConversionFailed) as error:
        return _failed(reporter, error)
    except MemoryError:
        return _failed(reporter, out_of_memory(arguments.command, call.limits.memory_bytes))
    except Exception as error:  # the last frame of the child: whatever a hostile file causes ends here, and is logged
        return _failed(reporter, _unexpected(error, arguments.command, call.limits.memory_bytes))
    return 0


def _result(
    command: str, request: ConversionRequest, output: Path, cache: Path, reporter: Reporter, walls: list[str]
) -> BaseModel:
    """What the command finds. Imports are here: each command needs only its own."""
    if command == "inspect":
        from converters.sources.detect import inspect

        return inspect(request.source, request.task, request.allow_pickle)
    if command == "locate":
        from converters.external_data import locate

        return locate(request.source)
    from converters.conversion import run

    return run(request, output, cache, reporter, walls)


def _failed(reporter: Reporter, error: SourceInvalid | ConversionFailed) -> int:
    """Say it first: where memory has run out, there may be none for the traceback."""
    reporter.error(type(error).__name__, error.message, error.remedy)
    traceback.print_exc()
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="converters", description="Convert a model. The hub runs this in a child.")
    parser.add_argument("command", choices=("inspect", "locate", "convert"))
    parser.add_argument("--request", type=Path, required=True, help="the request.json to carry out")
    parser.add_argument("--source", type=Path, required=True, help="the directory with the source files")
    parser.add_argument("--output", type=Path, required=True, help="the directory to write to; nothing else can be")
    parser.add_argument("--cache", type=Path, help="a directory that keeps what was found out for another attempt")
    parser.add_argument("--parent", type=int, required=True, help="the process to end with")
    return parser.parse_args()


def _private_stdout() -> TextIO:
    """The real stdout for the reporter alone: libraries that print are sent to the log."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def _unexpected(error: Exception, command: str, memory_bytes: int) -> ConversionFailed:
    text = str(error).lower()
    said = "bad_alloc" in text or "can't allocate memory" in text or "cannot allocate" in text
    if said or allocated_bytes() > _NEARLY_ALL * memory_bytes:  # a library may say anything where memory runs out
        return out_of_memory(command, memory_bytes)
    message = f"The conversion stopped at an error it did not expect ({type(error).__name__})."
    return ConversionFailed(message, f"Exporting the model to ONNX yourself may help. {LOG_KEPT}")


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # everything is written; the libraries would take seconds to take themselves apart
