"""API keys on a running stack: given out by the command, used, rotated, taken back; and what each role may do."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import uuid4

import httpx2
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cdc import migrations
from cdc.database import connect
from cdc.ids import new_id
from cdc.manifest import ACCESS_TABLES
from infra.local.probe import wait_until
from infra.services import ACCESS, KEYS, OWNER
from producers.rest.access import administration, api_key, keyring
from producers.rest.access.api_key import ApiKey
from producers.rest.access.keyring import Keyring
from producers.rest.access.principal import CredentialError
from tests import plain_http
from tests.services import free_port, start, wait_until_healthy
from tests.stack import RunningStack

MAX_AGE_S = 5
"""How old what the service knows of keys may be."""
ALL = ("orders:read", "orders:write")


@dataclass(frozen=True)
class Shop:
    """A storefront that lets API keys in, beside the one of the stack."""

    stack: RunningStack
    url: str

    def ask(self, key: str, path: str = "/nowhere") -> httpx2.Response:
        """Ask; who is let in hears that there is nothing."""
        return plain_http.get(self.url + path, headers={"authorization": f"Bearer {key}"})

    def wait_for(self, key: str, status: int) -> httpx2.Response:
        """Ask until the answer has a status."""
        wait_until(
            f"never answered {status}", lambda: self.ask(key).status_code == status, timeout_s=60
        )
        return self.ask(key)

    def place(self, key: str, idempotency_key: str) -> httpx2.Response:
        line = {"sku": "book-1", "quantity": 1, "unit_price": "1.00", "tax_rate": "0.1"}
        order = {"customer_id": "ada", "currency": "EUR", "lines": [line]}
        headers = {"authorization": f"Bearer {key}", "idempotency-key": idempotency_key}
        return plain_http.post(f"{self.url}/v2/orders", json=order, headers=headers)

    def new_key(self, owner: str, *scopes: str) -> dict[str, Any]:
        """Have the command make a key, and wait until it is known."""
        options = [word for scope in scopes or ALL for word in ("--scope", scope)]
        made: dict[str, Any] = json.loads(
            self.stack.cli("keys", "new", owner, *options, "--json").stdout
        )
        self.wait_for(made["key"], 404)
        return made


@pytest.fixture(scope="module")
def shop(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    port = free_port()
    with (tmp_path_factory.mktemp("shop") / "log").open("w") as log:
        process = start(
            *("-m", "producers.rest", "storefront"),
            errors=log,
            port=str(port),
            orders_url=stack.settings.url_of("orders"),
            auth="keys",
            keys_database_url=stack.database_url(ACCESS),
            keys_max_age_s=str(MAX_AGE_S),
            rate_limit="off",
        )
        try:
            wait_until_healthy(process, port)
            yield Shop(stack, f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.communicate()


def owner() -> str:
    return f"client-{uuid4().hex}"


def test_a_key_is_given_out_used_and_refused_in_time_once_it_is_revoked(shop: Shop) -> None:
    made = shop.new_key(owner(), "orders:read")
    assert shop.ask(made["key"], f"/v2/orders/{uuid4()}").status_code == 404
    cancel = plain_http.post(
        f"{shop.url}/v2/orders/{uuid4()}/cancel", headers={"authorization": f"Bearer {made['key']}"}
    )
    assert cancel.status_code == 403
    assert "orders:write" in cancel.json()["detail"]

    revoked = json.loads(shop.stack.cli("keys", "revoke", made["key_id"], "--json").stdout)
    revoked_at = time.monotonic()
    assert revoked["state"] == "revoked"
    last_let_in = revoked_at
    while True:
        asked_at = time.monotonic()
        if (answer := shop.ask(made["key"])).status_code != 404:
            break
        last_let_in = asked_at
    assert last_let_in - revoked_at <= MAX_AGE_S
    answer = shop.wait_for(made["key"], 401)
    assert f"{made['key_id']} was revoked" in answer.json()["detail"]
    assert "invalid_token" in answer.headers["www-authenticate"]
    again = json.loads(shop.stack.cli("keys", "revoke", made["key_id"], "--json").stdout)
    assert again["revoked_at"] == revoked["revoked_at"]


def test_a_key_that_was_changed_or_made_up_lets_nobody_in(shop: Shop) -> None:
    made, made_up = shop.new_key(owner()), ApiKey.new()
    assert shop.ask(made_up.text).status_code == 401
    # somebody else's secret behind an id that there is, with the checksum that it needs
    body = f"trk_{made['key_id']}_{made_up.text.rpartition('_')[2][:-6]}"
    forged = body + api_key._checksum(body)
    assert ApiKey.parse(forged)
    assert shop.ask(forged).json()["detail"] == shop.ask(made_up.text).json()["detail"]
    assert shop.ask(made["key"][:-1]).status_code == 401


def test_two_keys_of_a_client_are_one_caller_and_those_of_another_are_another(shop: Shop) -> None:
    client = owner()
    first, second, foreign = shop.new_key(client), shop.new_key(client), shop.new_key(owner())
    under = str(new_id())
    placed = shop.place(first["key"], under)
    assert placed.status_code == 201, placed.text
    repeated = shop.place(second["key"], under)
    assert repeated.headers.get("idempotent-replayed") == "true"
    assert repeated.json()["order_id"] == placed.json()["order_id"]
    other = shop.place(foreign["key"], under)
    assert other.status_code == 201
    assert "idempotent-replayed" not in other.headers
    assert other.json()["order_id"] != placed.json()["order_id"]
    # the first can go, and the client goes on
    shop.stack.cli("keys", "revoke", first["key_id"])
    shop.wait_for(first["key"], 401)
    assert shop.place(second["key"], under).json()["order_id"] == placed.json()["order_id"]


@contextmanager
def locked_out(stack: RunningStack) -> Iterator[None]:
    """Have the role of services lose its connections, and get no other."""
    with psycopg.connect(stack.database_url("postgres"), autocommit=True) as connection:
        connection.execute(f"alter role {ACCESS} nologin")
        try:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s",
                [ACCESS],
            )
            yield
        finally:
            connection.execute(f"alter role {ACCESS} login")


@contextmanager
def left_hanging(stack: RunningStack) -> Iterator[None]:
    """Have whoever asks for API keys wait for the answer."""
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(f"lock table {ACCESS}.api_key in access exclusive mode")
        yield


@pytest.mark.parametrize("trouble", [locked_out, left_hanging])
def test_who_cannot_hear_of_revocations_lets_nobody_in_after_a_while(
    shop: Shop, trouble: Callable[[RunningStack], AbstractContextManager[None]]
) -> None:
    made = shop.new_key(owner())
    with trouble(shop.stack):
        answer = shop.wait_for(made["key"], 503)
        assert "credentials cannot be checked" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) > 0
        # whom it does not know it does not call a stranger
        assert shop.ask(ApiKey.new().text).status_code == 503
        assert plain_http.get(f"{shop.url}/health").status_code == 200
    shop.wait_for(made["key"], 404)


def test_the_commands_show_a_key_once_and_refuse_what_there_is_not(shop: Shop) -> None:
    stack, client = shop.stack, owner()
    shown = stack.cli("keys", "new", client, "--scope", "reports:read", "--days", "30").stdout
    key = ApiKey.parse(shown.splitlines()[0])
    assert key
    assert key.text not in stack.cli("keys", "list").stdout
    listed = json.loads(stack.cli("keys", "list", "--json").stdout)
    [mine] = [each for each in listed if each["owner"] == client]
    assert (mine["key_id"], mine["scopes"], mine["state"]) == (
        key.key_id,
        ["reports:read"],
        "active",
    )
    stack.cli("keys", "revoke", key.key_id)
    assert client not in stack.cli("keys", "list").stdout
    assert client in stack.cli("keys", "list", "--all").stdout
    unknown = stack.cli("keys", "new", client, "--scope", "orders:reed", check=False)
    assert unknown.returncode == 2
    told = unknown.stderr.split("is no scope; there are ")[1]
    assert told.endswith("; did you mean orders:read or orders:write or users:read?\n")
    nobody = stack.cli("keys", "revoke", "0" * 12, check=False)
    assert nobody.returncode == 1
    assert "There is no API key" in nobody.stderr


REFUSED = psycopg.errors.InsufficientPrivilege
"""What is refused to the role that services look keys up as, and to the one that gives them out."""


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (
            ACCESS,
            "insert into api_key (key_id, digest, owner, scopes, revision) values ('x', '', 'o', '{s}', 1)",
        ),
        (ACCESS, "update api_key set revoked_at = null"),
        (ACCESS, "update api_key set scopes = '{orders:write}'"),
        (ACCESS, "update api_key set last_used_at = now()"),
        (ACCESS, "delete from api_key"),
        (ACCESS, "truncate api_key"),
        (ACCESS, "update api_key_revision set revision = 0"),
        (ACCESS, "create table mine (a int)"),
        (ACCESS, "select 1 from orders.customer_order"),
        (KEYS, "select digest from api_key"),
        (KEYS, "update api_key set scopes = '{orders:write}'"),
        (KEYS, "update api_key set digest = ''"),
        (KEYS, "update api_key set owner = 'me'"),
        (KEYS, "update api_key set expires_at = null"),
        (KEYS, "delete from api_key"),
        (KEYS, "select 1 from orders.customer_order"),
        ("orders", f"select 1 from {ACCESS}.api_key"),
    ],
)
def test_roles_may_do_their_part_and_no_more(
    stack: RunningStack, role: str, statement: LiteralString
) -> None:
    with psycopg.connect(stack.database_url(role), autocommit=True) as connection:
        connection.execute(f"set search_path = {ACCESS}")
        with pytest.raises(REFUSED):
            connection.execute(statement)


@contextmanager
def keys_alone(
    stack: RunningStack, schema: LiteralString
) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """Make a schema with API keys; yield a connection of its owner, and the URL of the role that reads it."""
    with psycopg.connect(stack.database_url(OWNER), autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
        connection.execute(f"grant usage on schema {schema} to {ACCESS}")
        migrations.upgrade(
            stack.database_url(OWNER), schema=schema, packages=[ACCESS_TABLES], role=ACCESS
        )
        connection.execute(f"set search_path = {schema}")
        yield (
            connection,
            make_conninfo(stack.database_url(ACCESS), options=f"-c search_path={schema}"),
        )
        connection.execute(f"drop schema {schema} cascade")


async def until(condition: Any) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def is_known(ring: Keyring, key: ApiKey) -> bool:
    try:
        return bool(ring.principal_of(key).name)
    except Exception:  # noqa: BLE001 - unknown, or not known yet
        return False


def test_what_a_service_knows_follows_the_table(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "EVERY_S", 0.02)
    monkeypatch.setattr(keyring, "NOTE_EVERY_S", 0.02)

    async def scenario(connection: psycopg.Connection[Any], url: str) -> None:
        async with knowing(url) as ring:
            first, kept = administration.make(connection, "shop", ["orders:read"], None)
            await until(lambda: is_known(ring, first))
            assert ring.principal_of(first).scopes == {"orders:read"}
            assert kept.last_used_at is None
            await until(lambda: administration.find(connection, first.key_id)[0].last_used_at)
            used_at = administration.find(connection, first.key_id)[0].last_used_at
            assert used_at
            assert (used_at.minute, used_at.second) == (0, 0)

            # who is put back to an earlier state has other keys, and lower numbers
            second, _ = administration.make(connection, "shop", ["orders:read"], None)
            await until(lambda: is_known(ring, second))
            connection.execute(
                "begin; delete from api_key; update api_key_revision set revision = 0; commit"
            )
            await until(lambda: not is_known(ring, first))
            with pytest.raises(CredentialError, match="no such API key"):
                ring.principal_of(second)

            brief, _ = administration.make(connection, "shop", ["orders:read"], None)
            await until(lambda: is_known(ring, brief))
            connection.execute(
                "update api_key set expires_at = now(), revision = 2 where key_id = %s",
                [brief.key_id],
            )
            connection.execute("update api_key_revision set revision = 2")
            await until(lambda: not is_known(ring, brief))
            with pytest.raises(CredentialError, match="has expired"):
                ring.principal_of(brief)

    with keys_alone(stack, "keys_followed") as (connection, url):
        asyncio.run(scenario(connection, url))


@asynccontextmanager
async def knowing(url: str) -> AsyncIterator[Keyring]:
    ring = Keyring(url, max_age_s=60)
    async with ring.kept_up():
        yield ring


def test_changes_that_are_committed_late_are_not_passed_over(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two make keys at once: the one who began first commits last, and both keys become known."""
    monkeypatch.setattr(keyring, "EVERY_S", 0.02)

    async def scenario(connection: psycopg.Connection[Any], url: str) -> None:
        async with knowing(url) as ring:
            with connect(stack.database_url(OWNER)) as slow:
                slow.execute("set search_path = keys_raced")
                first, _ = administration.make(slow, "slow", ["orders:read"], None)
                making = asyncio.create_task(
                    asyncio.to_thread(
                        administration.make, connection, "fast", ["orders:read"], None
                    )
                )
                waiting = "select count(*) from pg_locks where not granted and locktype in ('tuple', 'transactionid')"
                with psycopg.connect(stack.database_url("postgres"), autocommit=True) as watch:
                    await until(lambda: watch.execute(waiting).fetchone() != (0,))
                assert not making.done()
                slow.commit()
            second, _ = await making
            await until(lambda: is_known(ring, first) and is_known(ring, second))

    with keys_alone(stack, "keys_raced") as (connection, url):
        asyncio.run(scenario(connection, url))
