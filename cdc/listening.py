"""Whether anybody listens at an address, as far as that can be told from here."""

import socket

PROBE_S = 0.2
"""How long one has to take a connection. Who stands still does not take it, and does not refuse it either."""


def refuses(host: str, port: int) -> bool:
    """Tell whether a connection is refused."""
    try:
        socket.create_connection((host, port), timeout=PROBE_S).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # who does not answer may be alive
    return False
