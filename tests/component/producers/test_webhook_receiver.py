"""The receiver that the documents show takes what we sign, once for each id, and nothing else."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.probe import port_is_free, wait_until
from infra.settings import REPOSITORY
from producers.webhooks import signing
from producers.webhooks.addresses import Policy
from tests.services import free_port
from tests.webhooks import call_once

EXAMPLE = REPOSITORY / "docs" / "examples" / "receive_webhooks.py"
SECRET = signing.new_secret()


@contextmanager
def receiving(database: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, EXAMPLE, str(port), database],
        env={"SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            wait_until("nobody listens", lambda: not port_is_free(port), timeout_s=20)
            yield f"http://127.0.0.1:{port}/", process
        finally:
            process.kill()


def send(
    url: str, webhook_id: str, keys: list[str], *, sent: bytes = b"{}", age_s: int = 0
) -> int | None:
    timestamp = int(time.time()) - age_s
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(keys, webhook_id, timestamp, b"{}"),
    }
    return asyncio.run(call_once(url, headers, sent, Policy(loopback=True))).status


def test_it_acts_once_on_what_is_genuine_and_fresh(tmp_path: Path) -> None:
    others = [signing.new_private_key(), signing.new_secret()]
    with receiving(tmp_path / "seen.db") as (url, process):
        assert send(url, "a", [SECRET]) == 204
        assert send(url, "a", [SECRET]) == 204
        assert send(url, "b", [*others, SECRET]) == 204
        assert send(url, "c", others) == 401
        assert send(url, "c", [SECRET], sent=b"[]") == 401
        assert send(url, "c", [SECRET], age_s=301) == 401
        assert send(url, "c", [SECRET], age_s=-302) == 401
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == "a {}\nb {}\n"


def test_it_remembers_over_a_restart(tmp_path: Path) -> None:
    for printed in ("a {}\n", ""):
        with receiving(tmp_path / "seen.db") as (url, process):
            assert send(url, "a", [SECRET]) == 204
            process.kill()
            assert process.stdout is not None
            assert process.stdout.read() == printed


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_lacks_a_header_is_refused(tmp_path: Path, missing: str) -> None:
    headers = {
        "webhook-id": "a",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": "v1,",
    }
    del headers[missing]
    with receiving(tmp_path / "seen.db") as (url, _):
        policy = Policy(loopback=True)
        assert asyncio.run(call_once(url, headers, b"{}", policy)).status == 401
