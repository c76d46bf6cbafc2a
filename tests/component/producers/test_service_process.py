"""Services as processes: what they say when they cannot start, and how they end."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.services import (
    NOBODY_LISTENS,
    PATIENCE_S,
    end,
    free_port,
    running_storefront,
    say,
    start,
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of a storefront that is running."""
    with running_storefront() as (_, number):
        yield number


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_service_loads_nothing_for_tokens_and_registries_that_nobody_has_set(kind: str) -> None:
    code = (
        f"import sys, producers.{kind}.__main__, producers.users.{'rpc.' * (kind == 'grpc')}bootstrap;"
        "sys.exit(', '.join({'httpx2', 'joserfc', 'cryptography'} & set(sys.modules)) or 0)"
    )
    assert end(start("-c", code)) == (0, "")


def test_missing_settings_are_named_and_status_is_2() -> None:
    status, errors = end(start("-m", "producers.rest", "orders"))
    assert status == 2
    for name in ("PORT", "DATABASE_URL", "REGISTRY_URL", "SCHEMA_CACHE"):
        assert f"TAILRACE_{name} is not set" in errors
    assert "Traceback" not in errors


def test_a_setting_that_makes_no_sense_is_named_and_not_repeated() -> None:
    status, errors = end(
        start("-m", "producers.rest", "storefront", port="secret", orders_url="nowhere")
    )
    assert status == 2
    assert "TAILRACE_PORT cannot be used" in errors
    assert "TAILRACE_ORDERS_URL cannot be used" in errors
    assert "secret" not in errors


def test_a_taken_port_is_one_sentence_and_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, errors = end(
            start("-m", "producers.rest", "storefront", port=port, orders_url=NOBODY_LISTENS)
        )
    assert status == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in errors
    assert "Traceback" not in errors


def test_orders_without_registry_and_cache_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    process = start(
        "-m",
        "producers.rest",
        "orders",
        port=str(free_port()),
        database_url="postgresql://nobody@127.0.0.1:9/none",
        registry_url=NOBODY_LISTENS,
        schema_cache=str(tmp_path),
    )
    status, errors = end(process)
    assert status == 1
    assert "cannot start: the schema registry" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_told_to_stop_is_no_failure(number: signal.Signals) -> None:
    with running_storefront() as (process, _):
        process.send_signal(number)
        status, errors = end(process)
    assert status == 0
    assert "event=stopped" in errors
    assert "Traceback" not in errors


def test_bytes_that_are_no_http_request_are_answered_with_a_problem(port: int) -> None:
    answer = say(port, b"HELLO\r\n\r\n").decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "content-type: application/problem+json" in answer
    assert '"status":400' in answer


def test_an_oversized_body_is_refused_before_the_connection_breaks(port: int) -> None:
    url = f"http://127.0.0.1:{port}/v1/orders"
    response = httpx2.post(url, content=b"x" * 5_000_000, trust_env=False, timeout=PATIENCE_S)
    assert response.status_code == 413
