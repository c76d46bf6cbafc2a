"""Proxies of the environment: never on the way to this machine, and refused in a sentence when they cannot be used."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cdc import connector
from cdc.tracing.zipkin import ZipkinExporter
from infra.local.java.download import Download, download_all
from infra.operations.doctor.servers import _answer
from schemas.proxies import ProxyError, heeded, is_here
from schemas.registry import client
from schemas.registry_settings import RegistrySettings

ANSWER = json.dumps({"schema": '"int"'}).encode()
UNUSABLE = ("socks5://127.0.0.1:1080", "ftp://alice:open-sesame@proxy:21", "http://[::1")


class Server(ThreadingHTTPServer):
    """Answers everything with an object of JSON, and notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    do_POST = do_GET  # noqa: N815 - the base class calls it so

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "http://127.8.9.10/x",
        "http://localhost",
        "https://LOCALHOST.:8/",
        "http://registry.localhost:2",
        "http://[::1]:80",
        "http://[::ffff:127.0.0.1]:80",
        "http://0.0.0.0:3",
    ],
)
def test_this_machine_is_told_from_others(url: str) -> None:
    assert is_here(url)
    assert not any(map(is_here, ("http://10.0.0.1", "http://localhost.example", "http://[::2]/")))


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", *UNUSABLE])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_nobody_asks_this_machine_through_a_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, proxy: str
) -> None:
    monkeypatch.delenv("REQUEST_METHOD", raising=False)
    monkeypatch.setenv(variable, proxy)
    assert connector.show(server.url, "any") is not None
    registry = client(RegistrySettings(url=server.url, retries=0))
    assert registry.get_schema(7).schema_str == '"int"'
    assert _answer(f"{server.url}/ready")
    sha256 = hashlib.sha256(ANSWER).hexdigest()
    download_all([Download(f"{server.url}/a.jar", tmp_path / "a.jar", sha256, len(ANSWER))])
    paths = ["/connectors/any/config", "/schemas/ids/7", "/ready", "/a.jar"]
    assert [path.partition("?")[0] for path in server.asked] == paths


def test_others_are_asked_through_the_proxy_that_the_environment_names(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    elsewhere = "http://no.such.host.invalid"
    assert connector.show(elsewhere, "any") is not None
    assert client(RegistrySettings(url=elsewhere, retries=0)).get_schema(7).schema_str == '"int"'
    ZipkinExporter(elsewhere, timeout_s=5).export([])
    assert all(path.startswith(elsewhere) for path in server.asked)
    assert len(server.asked) == 3
    monkeypatch.setenv("NO_PROXY", "other,.host.invalid")
    with pytest.raises(connector.ConnectError, match="cannot be asked"):
        connector.show(elsewhere, "any")


@pytest.mark.parametrize("proxy", UNUSABLE)
def test_a_proxy_that_cannot_be_used_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    for ask in (
        lambda: heeded("https://registry.example"),
        lambda: connector.show("http://connect.example", "any"),
        lambda: client(RegistrySettings(url="http://registry.example")),
    ):
        with pytest.raises(ProxyError, match=r"^all_proxy names .* unset it") as refused:
            ask()
        assert "sesame" not in str(refused.value)
    monkeypatch.setenv("NO_PROXY", "*")
    assert heeded("https://registry.example")
