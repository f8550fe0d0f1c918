"""The child: `python -m converters inspect|convert --request request.json`. JSON lines on stdout, its log on stderr."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from converters.errors import ConversionFailed, SourceInvalid
from converters.invocation import StoredCall
from converters.progress import Reporter
from converters.sandbox import confine


def main() -> int:
    """Run one command and say how it ended; 0 for a result, 1 for an error."""
    arguments = _arguments()
    reporter = Reporter(_private_stdout())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    call = StoredCall.model_validate_json(arguments.request.read_bytes())
    output = (arguments.output or arguments.request.parent).absolute()
    if arguments.parent is not None:
        logging.info("The child %s.", confine(call.limits, arguments.parent, call.request.source, output))
    try:
        reporter.result(_run(arguments.command, call, output, reporter))
    except (SourceInvalid, ConversionFailed) as error:
        traceback.print_exc()
        reporter.error(type(error).__name__, error.message, error.remedy)
        return 1
    except MemoryError:
        traceback.print_exc()
        reporter.error(*_out_of_memory(call.limits.memory_bytes))
        return 1
    except Exception as error:  # the last frame of the child: whatever a hostile file causes ends here, and is logged
        traceback.print_exc()
        reporter.error(*_unexpected(error, call.limits.memory_bytes))
        return 1
    return 0


def _run(command: str, call: StoredCall, output: Path, reporter: Reporter) -> str:
    if command == "inspect":
        from converters.sources.detect import inspect

        return inspect(call.request.source, call.request.task).model_dump_json()
    from converters.conversion import run

    return run(call.request, output, reporter).model_dump_json()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="converters", description="Convert a model. The hub runs this in a child.")
    parser.add_argument("command", choices=("inspect", "convert"))
    parser.add_argument("--request", type=Path, required=True, help="the request.json to carry out")
    parser.add_argument("--output", type=Path, help="where to write; the directory of the request by default")
    parser.add_argument("--parent", type=int, help="apply the request's limits and end with this process")
    return parser.parse_args()


def _private_stdout() -> TextIO:
    """The real stdout for the reporter alone: libraries that print are sent to the log."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def _out_of_memory(memory_bytes: int) -> tuple[str, str, str]:
    return (
        ConversionFailed.__name__,
        f"It needed more than the {memory_bytes / 1024**3:.1f} GB of memory it may use.",
        "Raise CONCH_CONVERSION_MEMORY_BYTES, or register a smaller model.",
    )


def _unexpected(error: Exception, memory_bytes: int) -> tuple[str, str, str]:
    text = str(error).lower()
    if "bad_alloc" in text or "can't allocate memory" in text or "cannot allocate" in text:
        return _out_of_memory(memory_bytes)
    return (
        ConversionFailed.__name__,
        f"The conversion stopped at an error it did not expect ({type(error).__name__}).",
        "Read conversion.log in the conversion's directory; exporting the model to ONNX yourself may help.",
    )


if __name__ == "__main__":
    sys.exit(main())
