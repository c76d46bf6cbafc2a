"""Every client that the product makes is told how long to wait."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("cdc", "producers", "consumers", "infra", "schemas")

CLIENTS = {
    "httpx2": {"Client", "AsyncClient", "request", "get", "post", "put", "delete", "stream"},
    "aiohttp": {"ClientSession"},
    "psycopg": {"connect"},
    "psycopg.AsyncConnection": {"connect"},
    "socket": {"create_connection"},
    "smtplib": {"SMTP", "SMTP_SSL"},
    "http.client": {"HTTPConnection", "HTTPSConnection"},
    "urllib.request": {"urlopen"},
    "psycopg_pool": {"AsyncConnectionPool", "ConnectionPool"},
    "requests": {"get", "post", "request", "Session"},
}
"""What reaches over a network, by where it comes from."""
NAMES = frozenset(
    name for names in CLIENTS.values() for name in names if name[0].isupper() or name == "urlopen"
)
ASKING = frozenset({"request"})
"""Methods of ours that ask over Kafka, and are told how long."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and is_client(node):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def is_client(call: ast.Call) -> bool:
    owner, _, name = ast.unparse(call.func).rpartition(".")
    asks = name in ASKING and owner.endswith("requester")
    return asks or name in CLIENTS.get(owner, ()) or (name in NAMES and not owner)


def is_bounded(call: ast.Call) -> bool:
    """Tell whether some argument says how long, and does not say for ever."""
    given = [ast.unparse(keyword) for keyword in call.keywords]
    return any("timeout" in text.lower() and not text.endswith("timeout=None") for text in given)


def test_no_client_is_made_that_would_wait_for_ever() -> None:
    found = dict(calls())
    assert [place for place, call in found.items() if not is_bounded(call)] == []
    made_in = {place.partition(":")[0] for place in found}
    assert {
        "cdc/database.py",
        "cdc/connector/connect.py",
        "producers/calling/client.py",
        "producers/storefront/stock_check.py",
        "infra/demo/asking.py",
    } <= made_in


def test_every_client_is_told_whether_proxies_of_the_environment_are_for_it() -> None:
    """What is meant for the outside would be asked for this machine, too (`schemas/proxies.py`)."""
    of_http = CLIENTS["httpx2"] | CLIENTS["aiohttp"]
    silent = [
        place
        for place, call in calls()
        if (owner := ast.unparse(call.func).rpartition("."))[2] in of_http
        and owner[0] in {"", "httpx2", "aiohttp"}
        and "trust_env" not in {keyword.arg for keyword in call.keywords}
    ]
    assert silent == []


@pytest.mark.parametrize(
    "text",
    [
        "httpx2.AsyncClient(base_url=url)",
        "httpx2.get(url)",
        "AsyncClient(timeout=None)",
        "aiohttp.ClientSession()",
        "socket.create_connection(address)",
        "AsyncConnectionPool(url)",
        "self._requester.request(question)",
    ],
)
def test_a_client_without_a_timeout_is_found(text: str) -> None:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert is_client(call)
    assert not is_bounded(call)
