"""HTTP services of ours as processes, and clients that speak to them in bytes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx2
import pytest

from tests import plain_http

ROOT = Path(__file__).parents[1]
NOBODY_LISTENS = "http://127.0.0.1:9"
PATIENCE_S = 60


def start(
    *arguments: str,
    errors: int | IO[str] = subprocess.PIPE,
    output: int | None = None,
    **settings: str,
) -> subprocess.Popen[str]:
    """Start Python with these arguments, such as `-m` and a module, and settings of ours."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TAILRACE_")}
    environment = inherited | {
        f"TAILRACE_{name.upper()}": value for name, value in settings.items()
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=errors,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a process; return its status and what it wrote to standard error."""
    try:
        _, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return process.returncode, errors


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_storefront(
    arguments: Sequence[str] = ("-m", "producers.rest", "storefront"),
    errors: int | IO[str] = subprocess.PIPE,
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a storefront behind which nobody listens; give the process and its port."""
    port = free_port()
    process = start(*arguments, errors=errors, port=str(port), orders_url=NOBODY_LISTENS)
    try:
        wait_until_healthy(process, port)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def wait_until_healthy(process: subprocess.Popen[str], port: int) -> None:
    """Wait until a service that was just started answers."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if plain_http.get(f"http://127.0.0.1:{port}/health").is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.02)
    pytest.fail("the service did not become healthy")


def say(port: int, data: bytes, *, timeout_s: float = PATIENCE_S) -> bytes:
    """Return all that a service answers to these bytes before it closes the connection.

    Raises:
        TimeoutError: it does not close it.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))
