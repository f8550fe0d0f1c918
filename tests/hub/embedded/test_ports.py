from __future__ import annotations

import socket

import pytest

from hub.embedded.errors import CannotStart
from hub.embedded.ports import ensure_free, free_ports


def test_free_ports_differ_and_are_free() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        ensure_free("127.0.0.1", port)


def test_a_taken_port_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} is taken.*--port"):
            ensure_free("127.0.0.1", port)


def test_an_address_of_another_machine_says_what_to_do() -> None:
    with pytest.raises(CannotStart, match="CONCH_HOST"):
        ensure_free("192.0.2.1", 8080)
