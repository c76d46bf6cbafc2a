"""Which members of a group have ended is told by their ports, and only where these can be reached."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from consumers.runtime.peers import LOOKS, Peers, client_id

HOST = "127.0.0.1"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server((HOST, 0))) as server:
        yield server


@pytest.fixture
def free_port() -> int:
    with closing(socket.create_server((HOST, 0))) as server:
        return int(server.getsockname()[1])


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def ended(own: str, members: dict[str, str], looks: int = LOOKS) -> list[str]:
    peers = Peers(HOST, own)
    return [peers.ended(members) for _ in range(looks)][-1]


def test_a_member_is_taken_for_ended_once_nobody_listened_at_several_looks(
    listening: socket.socket, free_port: int
) -> None:
    own = client_id("payments", HOST, port_of(listening))
    members = {"own": own, "gone": client_id("payments", HOST, free_port)}
    assert ended(own, members, LOOKS - 1) == []
    assert ended(own, members) == ["gone"]


def test_a_member_that_listens_again_in_between_is_alive(
    listening: socket.socket, free_port: int
) -> None:
    own = client_id("payments", HOST, port_of(listening))
    members = {"restarted": client_id("payments", HOST, free_port)}
    peers = Peers(HOST, own)
    assert peers.ended(members) == []
    with closing(socket.create_server((HOST, free_port))):
        assert peers.ended(members) == []
    assert peers.ended(members) == []


def test_a_member_that_stands_still_is_not_ended(listening: socket.socket, free_port: int) -> None:
    """Nobody accepts its connections: the first ones wait in the queue, those after it are not answered at all."""
    own = client_id("payments", HOST, free_port)
    listening.listen(0)
    members = {"frozen": client_id("payments", HOST, port_of(listening))}
    waiting = [socket.create_connection((HOST, port_of(listening))) for _ in range(1)]
    assert ended(own, members, looks=4) == []
    for each in waiting:
        each.close()


@pytest.mark.parametrize(
    "theirs",
    [
        "payments",  # without a port of its own
        "payments-another-machine-0a1b2c3d-{port}",
        "payments-{hostname}-{port}",  # as a release before called itself
        "payments-{common}-",
        "payments-{common}-x{port}",
        "orders-{common}-{port}",
    ],
)
def test_nothing_is_concluded_about_a_member_elsewhere(
    theirs: str, listening: socket.socket, free_port: int
) -> None:
    own = client_id("payments", HOST, port_of(listening))
    common = own.removeprefix("payments-").rpartition("-")[0]
    name = theirs.format(port=free_port, hostname=socket.gethostname(), common=common)
    assert ended(own, {"other": name}) == []


def test_a_worker_without_a_port_knows_of_no_peers(free_port: int) -> None:
    own = client_id("payments", HOST, 0)
    assert own == "payments"
    assert ended(own, {"other": client_id("payments", HOST, free_port)}) == []


def test_an_address_is_reached_by_those_alone_that_listen_on_it_too() -> None:
    assert client_id("payments", HOST, 1) == client_id("payments", HOST, 1)
    assert client_id("payments", HOST, 1) != client_id("payments", "0.0.0.0", 1)  # noqa: S104 - only a name
