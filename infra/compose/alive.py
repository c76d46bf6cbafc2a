"""Tells whether services of this container answer: `python -m infra.compose.alive rest://127.0.0.1:18001/health ...`.

It is asked every few seconds in each container, hence no HTTP library.
"""

import socket
import sys

TIMEOUT_S = 5.0


def answers(url: str) -> bool:
    kind, _, rest = url.partition("://")
    address, slash, path = rest.partition("/")
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
            if kind == "grpc":
                return True
            request = f"GET {slash}{path} HTTP/1.0\r\nHost: {address}\r\n\r\n"
            connection.sendall(request.encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if all(map(answers, sys.argv[1:])) else 1)
