"""Tells whether servers and services answer: `python -m infra.compose.alive [--within S] http://connect:8083/health`.

With `--within` it waits for them, so long at most. It is asked again and again in each container, hence no library.
"""

import socket
import sys
import time

TIMEOUT_S = 5.0
PAUSE_S = 0.3
HTTP = frozenset({"http", "rest", "consumer"})


def answers(url: str) -> bool:
    """Tell whether a GET is answered with 200; of what speaks no HTTP, whether it takes a connection."""
    kind, _, rest = url.partition("://")
    address, slash, path = rest.partition("/")
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
            if kind not in HTTP:
                return True
            connection.sendall(f"GET {slash}{path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def silent(urls: list[str], within_s: float) -> list[str]:
    """Return those that do not answer, when the time is up."""
    deadline = time.monotonic() + within_s
    while left := [url for url in urls if not answers(url)]:
        if time.monotonic() >= deadline:
            return left
        time.sleep(PAUSE_S)
    return []


def main(arguments: list[str]) -> int:
    """Return 0 when all answer, else 1; say which do not."""
    within_s = 0.0
    if arguments[0] == "--within":
        within_s, arguments = float(arguments[1]), arguments[2:]
    left = silent(arguments, within_s)
    sys.stderr.writelines(f"{url} does not answer\n" for url in left)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
