"""The registry client against a server that fails, refuses and dawdles."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from schemas.contracts import canonical
from schemas.ids_in_use import known_ids, name_in, strange_ids
from schemas.registry import (
    RegistryRefusedError,
    RegistryUnavailableError,
    SchemaStore,
    UnknownSchemaError,
)
from schemas.registry_settings import RegistrySettings

SCHEMA = '{"type":"string"}'


class Server(ThreadingHTTPServer):
    """Answers every request for a schema with the statuses it was given, the last of them from then on."""

    def __init__(self, statuses: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = statuses
        self.authorizations: list[str | None] = []
        self.schema = SCHEMA
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        server, statuses = self.server, self.server.statuses
        server.authorizations.append(self.headers["Authorization"])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        body = (
            {"schema": server.schema} if status == 200 else {"error_code": status, "message": "no"}
        )
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Stay silent."""


@contextmanager
def serving(*statuses: int) -> Iterator[Server]:
    server = Server(list(statuses))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def store(server: Server, cache: Path, **more: str | Path) -> SchemaStore:
    return SchemaStore(
        RegistrySettings(url=server.url, retries=2, retry_wait_ms=1, **more),  # type: ignore[arg-type]
        cache,
    )


@pytest.mark.parametrize("failure", [429, 500, 503])
def test_a_passing_failure_is_tried_again(failure: int, tmp_path: Path) -> None:
    with serving(failure, failure, 200) as server:
        assert store(server, tmp_path).schema_of(1) == SCHEMA
        assert len(server.authorizations) == 3


def test_a_lasting_failure_is_told_in_the_end(tmp_path: Path) -> None:
    with serving(503) as server, pytest.raises(RegistryUnavailableError, match="503"):
        store(server, tmp_path).schema_of(1)
    assert len(server.authorizations) == 3


@pytest.mark.parametrize("refusal", [401, 403])
def test_a_refusal_is_told_at_once_and_names_the_role_that_may(
    refusal: int, tmp_path: Path
) -> None:
    with serving(refusal) as server, pytest.raises(RegistryRefusedError, match="its publisher"):
        store(server, tmp_path).schema_of(1)
    assert len(server.authorizations) == 1


def test_wrong_credentials_are_told_from_none(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pw")
    with (
        serving(401) as server,
        pytest.raises(RegistryRefusedError, match="does not accept the credentials of user me"),
    ):
        store(server, tmp_path, user="me", password_file=password).schema_of(1)


def test_what_the_registry_lacks_is_not_asked_twice(tmp_path: Path) -> None:
    with serving(404) as server, pytest.raises(UnknownSchemaError, match="schema-publish"):
        store(server, tmp_path).schema_of(1)
    assert len(server.authorizations) == 1


def test_an_answer_is_kept_on_disk(tmp_path: Path) -> None:
    with serving(200, 500) as server:
        assert store(server, tmp_path).schema_of(1) == SCHEMA
        assert store(server, tmp_path).schema_of(1) == SCHEMA
        assert len(server.authorizations) == 1


def test_user_and_password_are_sent(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pw\n")
    with serving(200) as server:
        store(server, tmp_path, user="me", password_file=password).schema_of(1)
        assert server.authorizations == ["Basic bWU6cHc="]


def test_a_bearer_token_is_sent(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc\n")
    with serving(200) as server:
        store(server, tmp_path, token_file=token).schema_of(1)
        assert server.authorizations == ["Bearer abc"]


def test_services_give_the_url_and_the_environment_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("abc")
    monkeypatch.setenv("TAILRACE_REGISTRY_TOKEN_FILE", str(token))
    with serving(200) as server:
        SchemaStore(server.url, tmp_path).schema_of(1)
        assert server.authorizations == ["Bearer abc"]


def test_a_registry_that_dawdles_is_given_up(tmp_path: Path) -> None:
    with serving(200) as server:
        server.shutdown()  # connections are accepted by the system, and nobody answers
        settings = RegistrySettings(url=server.url, retries=0, timeout_s=0.2)
        with pytest.raises(RegistryUnavailableError, match=r"cannot be asked \(timed out\)"):
            SchemaStore(settings, tmp_path).schema_of(1)


def test_a_store_that_keeps_nothing_makes_no_directory(tmp_path: Path) -> None:
    SchemaStore("http://127.0.0.1:1", tmp_path / "home" / "schema-cache")

    assert list(tmp_path.iterdir()) == []


def test_an_id_that_was_kept_is_not_asked_for(tmp_path: Path) -> None:
    message = "orders.OrderCreated"
    nowhere = "http://127.0.0.1:1"
    SchemaStore(nowhere, tmp_path).keep(message, 7)

    assert SchemaStore(nowhere, tmp_path).id_of(message) == 7
    assert SchemaStore(nowhere, tmp_path).schema_of(7) == canonical(message)


def test_entries_that_a_loss_of_power_left_empty_are_asked_for_again(tmp_path: Path) -> None:
    with serving(200) as server:
        store = SchemaStore(server.url, tmp_path)
        store.keep("orders.OrderCreated", 1)
        for entry in store.directory.iterdir():
            entry.write_text("")
        assert store.schema_of(1) == SCHEMA
        store.keep("orders.OrderCreated", 1)
        assert store.id_of("orders.OrderCreated") == 1


@pytest.mark.parametrize("text", ["", 'syntax = "proto3";', '"string"', "[" * 100_000, "{}"])
def test_schemas_of_no_message_keep_nobody_from_publishing(tmp_path: Path, text: str) -> None:
    ours = '{"type": "record", "name": "A", "namespace": "a", "fields": []}'
    with serving(200) as server:
        held = store(server, tmp_path)
        held.directory.mkdir()
        (held.directory / "6.avsc").write_text(ours)
        (held.directory / "7.avsc").write_text(text)
        settings = RegistrySettings(url=server.url)
        known = known_ids(settings, tmp_path)
        assert known == {6: ours}
        assert name_in(ours) == "a.A"
        server.schema = text
        assert strange_ids(settings, known) == {6: text}
        server.schema = ours.replace(" ", "")
        assert strange_ids(settings, known) == {}
