"""Workers of one group on one machine, known by their client ids; which of them have ended without leaving it."""

import hashlib
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path

from cdc.listening import refuses

LOOKS = 2
"""Looks in a row at which nobody listens until a member is taken for ended."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


def client_id(consumer: str, host: str, port: int) -> str:
    """Return the client id of each worker that is started in the place of an ended one.

    There can be one at a time: it listens on the port. Those that differ in the port alone reach each other's ports.

    Args:
        consumer: What it works for.
        host: Address that its health endpoints listen on.
        port: Their port; 0 stands for any, by which nobody can be told from others.
    """
    return f"{consumer}-{socket.gethostname()}-{_network(host)}-{port}" if port else consumer


class Peers:
    """The other workers of a group that listen where this one could reach them.

    A worker takes its port before it joins its group, and leaves the group before it gives the port up. So where a
    connection is refused, by the very machine that the port is on, its process has ended, and will not come back: the
    group need not wait for its session to run out.

    Args:
        host: Address that this worker's health endpoints listen on.
        client_id: Its own client id.
    """

    def __init__(self, host: str, client_id: str) -> None:
        self._host = host
        self._own = client_id
        self._refused: dict[str, int] = {}

    def ended(self, members: Mapping[str, str]) -> list[str]:
        """Return the members whose process has ended; to be asked again and again.

        Args:
            members: Ids of the group's members, with the client id of each.
        """
        before, self._refused = self._refused, {}
        for member, owner in members.items():
            port = self._port_of(owner)
            if port is not None and refuses(self._host, port):
                self._refused[member] = before.get(member, 0) + 1
        return [member for member, looks in self._refused.items() if looks >= LOOKS]

    def _port_of(self, client_id: str) -> int | None:
        """Return the port of a peer; nothing for this worker itself, and for one that is elsewhere."""
        common, _, own_port = self._own.rpartition("-")
        theirs, _, port = client_id.rpartition("-")
        if not common or theirs != common or port == own_port:
            return None
        return int(port) if port.isascii() and port.isdecimal() else None


def _network(host: str) -> str:
    """Return what workers have in common that reach each other by an address: machine, network namespace and address.

    Containers and machines may have the same host name.
    """
    try:
        machine = f"{_BOOT_ID.read_text()}{_NETWORK.stat().st_ino}"
    except OSError:  # not on Linux
        machine = str(uuid.getnode())
    return hashlib.sha256(f"{machine} {host}".encode()).hexdigest()[:8]
