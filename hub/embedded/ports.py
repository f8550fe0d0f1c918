"""TCP ports: free ones for our own servers, and a clear word when the wanted one is taken."""

from __future__ import annotations

import errno
import socket

from hub.embedded.errors import CannotStart


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def ensure_free(host: str, port: int) -> None:
    """Raise CannotStart when the hub could not listen on `host`:`port`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(f"Port {port} is taken.", "Choose another one with --port.") from error
        if error.errno == errno.EACCES:
            raise CannotStart(f"Port {port} needs privileges.", "Choose one above 1023 with --port.") from error
        raise CannotStart(
            f"Cannot listen on {host}:{port} ({error.strerror}).", "Set CONCH_HOST to an address of this machine."
        ) from error
