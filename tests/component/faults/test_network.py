"""Packets that are lost on the way to a port, where that is allowed."""

import os
import socket
import subprocess
from contextlib import ExitStack

import psutil
import pytest

from tests.faults import network

SOON_S = 0.5


@pytest.fixture
def listener() -> socket.socket:
    if (reason := network.why_not()) is not None:
        assert os.geteuid() or "iptables" in reason
        pytest.skip(f"no packets can be lost here: {reason}")
    return socket.create_server(("127.0.0.1", 0))


def test_a_port_that_is_cut_off_answers_nobody_and_then_again(listener: socket.socket) -> None:
    address = listener.getsockname()
    with listener, socket.create_connection(address) as earlier:
        with listener.accept()[0] as taken:
            assert address[1] in network.ports_of([psutil.Process()])
            with network.losing(1, [address[1]]):
                earlier.sendall(b"late")
                taken.settimeout(SOON_S)
                with pytest.raises(TimeoutError):
                    taken.recv(4)
                with pytest.raises(TimeoutError):
                    socket.create_connection(address, timeout=SOON_S)
            taken.settimeout(30)
            assert taken.recv(4) == b"late"
        socket.create_connection(address, timeout=30).close()


def test_what_a_killed_run_has_left_is_removed(listener: socket.socket) -> None:
    with listener:
        address = listener.getsockname()
        with ExitStack() as left:
            left.enter_context(pytest.raises(subprocess.CalledProcessError))  # nothing is left
            left.enter_context(network.losing(1, [address[1]]))
            network.clear()
            socket.create_connection(address, timeout=30).close()
