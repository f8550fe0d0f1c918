"""The `conch` command."""

from __future__ import annotations

import signal


def main() -> None:
    """The entry point of `conch`."""
    # Until a command says otherwise there is nothing to stop, and a Ctrl-C amid the imports is no error to report.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as below nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from hub.cli.app import app

    app(prog_name="conch")
