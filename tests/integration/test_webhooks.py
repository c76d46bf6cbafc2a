"""Webhooks from end to end: what happens to an order arrives signed at receivers on real sockets, whatever they do."""

import asyncio
import base64
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from cdc.ids import new_id
from consumers.runtime.outside import RealOutside
from consumers.testing.records import deliver
from consumers.webhooks.bootstrap import Settings, create_consumer
from consumers.webhooks.service import SERVICE
from infra.local.probe import wait_until
from infra.processes import settings_of
from producers.webhooks import signing
from schemas.messages.orders import OrderCancelled
from schemas.messages.webhooks import EndpointDisabled
from tailrace import Connection, PostgresDatabase, Scenario, sample_of
from tests import plain_http
from tests.kafka import records_of
from tests.orders import place_digital
from tests.receiver import Receiver, Request, answer
from tests.services import free_port
from tests.stack import RunningStack
from tests.webhooks import TYPES, register

LIFE = ["order.created", "order.confirmed"]


class Client:
    """The API of webhooks."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._base = f"{stack.settings.url_of('webhooks')}/v1"

    def get(self, path: str) -> Any:
        found = plain_http.get(f"{self._base}{path}")
        assert found.status_code == 200, found.text
        return found.json()

    def post(self, path: str, body: Any = None, *, expect: int = 200) -> Any:
        done: httpx2.Response = plain_http.post(f"{self._base}{path}", json=body)
        assert done.status_code == expect, done.text
        return done.json()

    def patch(self, registered: dict[str, Any], *, expect: int = 200, **changes: Any) -> Any:
        path = f"{self._base}/endpoints/{registered['endpoint_id']}"
        done = plain_http.request("PATCH", path, json=changes)
        assert done.status_code == expect, done.text
        return done.json()

    def delete(self, registered: dict[str, Any], *, expect: int = 204) -> None:
        path = f"{self._base}/endpoints/{registered['endpoint_id']}"
        assert plain_http.request("DELETE", path).status_code == expect

    def register(self, url: str, **asked: Any) -> dict[str, Any]:
        return register(self._stack, url, **asked)

    def endpoint(self, registered: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/endpoints/{registered['endpoint_id']}")
        return found

    def deliveries(self, registered: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
        found = self.get(f"/endpoints/{registered['endpoint_id']}/deliveries{query}")
        deliveries: list[dict[str, Any]] = found["deliveries"]
        return deliveries


def types(requests: Sequence[Request], order_id: str) -> list[str]:
    """Return what was told of an order, each the first time that it was."""
    told = {
        request.headers["webhook-id"]: json.loads(request.body)["type"]
        for request in requests
        if json.loads(request.body)["data"].get("order_id") == order_id
    }
    return list(told.values())


def require_genuine(request: Request, *keys: str) -> None:
    webhook_id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    signed = signing.sign(keys, webhook_id, timestamp, request.body)
    assert request.headers["webhook-signature"] == signed
    assert abs(datetime.now(UTC).timestamp() - timestamp) < 120


def kinds_of_signatures(request: Request) -> list[str]:
    signatures = request.headers["webhook-signature"].split(" ")
    return [each.partition(",")[0] for each in signatures]


def test_an_order_is_told_of_whatever_receivers_and_workers_do(stack: RunningStack) -> None:
    """One receiver is well, one away at first, one gone, and one keeps the worker waiting while that is killed."""
    client, first = Client(stack), asyncio.Event()

    async def keeps_waiting(request: Request) -> bytes:
        if not first.is_set():
            first.set()
            await asyncio.sleep(60)
        return answer(200)

    async def gone(request: Request) -> bytes:
        return answer(410, b"not any more")

    async def run() -> None:
        async with AsyncExitStack() as open_ones:
            well, lost, held = Receiver(), Receiver(gone), Receiver(keeps_waiting)
            for each in (well, lost, held):
                await open_ones.enter_async_context(each.open())
            away, port = Receiver(), free_port()
            to_well, to_lost, to_held, to_away = [
                await asyncio.to_thread(client.register, url)
                for url in (well.url, lost.url, held.url, f"http://127.0.0.1:{port}/hooks")
            ]
            order_id = (await asyncio.to_thread(place_digital, stack))["order_id"]
            await held.until(bool)
            await asyncio.to_thread(stack.kill, "webhooks-worker")
            await open_ones.enter_async_context(away.open(port=port))
            for receiver in (well, held, away):
                await receiver.until(lambda requests: types(requests, order_id) == LIFE)
            ids = [request.headers["webhook-id"] for request in held.requests]
            assert ids.count(ids[0]) == 2, "what was broken off was not sent again under its id"
            for receiver, registered in ((well, to_well), (held, to_held), (away, to_away)):
                for request in receiver.requests:
                    require_genuine(request, registered["secret"])
            await asyncio.to_thread(look_at_the_gone, to_lost)
            attempts = await asyncio.to_thread(look_at_the_away, to_away)
            assert attempts[0]["error"].startswith("ConnectError")
            assert attempts[-1]["status"] == 204

    def look_at_the_gone(registered: dict[str, Any]) -> None:
        endpoint = client.endpoint(registered)
        assert (endpoint["status"], endpoint["disabled_reason"]) == (
            "disabled",
            "it answered 410 Gone",
        )
        assert {each["status"] for each in client.deliveries(registered)} == {"skipped"}
        with psycopg.connect(stack.database_url("webhooks")) as connection:
            [[message_id]] = connection.execute(
                "select id from outbox where aggregate_id = %s", [registered["endpoint_id"]]
            ).fetchall()
        [record] = records_of(stack, "endpoint.events", until=message_id)[str(message_id)]
        assert record.headers["ce_type"] == EndpointDisabled.NAME

    def look_at_the_away(registered: dict[str, Any]) -> list[dict[str, Any]]:
        wait_until(
            "not both are delivered",
            lambda: len(client.deliveries(registered, "?status=delivered")) == 2,
            timeout_s=20,
        )
        created = client.deliveries(registered)[-1]
        attempts: list[dict[str, Any]] = client.get(f"/deliveries/{created['delivery_id']}")[
            "attempt_log"
        ]
        return attempts

    asyncio.run(run())


def test_an_endpoint_is_tried_rotated_disabled_and_recovered(stack: RunningStack) -> None:
    client, is_ill = Client(stack), False

    async def reply(request: Request) -> bytes:
        return answer(500, b"ill\x1b[2J") if is_ill else answer(200)

    async def run() -> None:
        nonlocal is_ill
        async with Receiver(reply).open() as receiver:
            registered = await asyncio.to_thread(client.register, receiver.url, signing="ed25519")
            path = f"/endpoints/{registered['endpoint_id']}"

            async def post(verb: str, body: Any = None, *, expect: int = 200) -> Any:
                return await asyncio.to_thread(client.post, f"{path}/{verb}", body, expect=expect)

            assert registered["secret"] is None
            await post("test", expect=201)
            await receiver.until(bool)
            assert json.loads(receiver.requests[0].body)["type"] == "webhook.test"
            assert kinds_of_signatures(receiver.requests[0]) == ["v1a"]

            rotated = await post("rotate-secret", {})
            assert rotated["public_key"] is None
            await post("test", expect=201)
            await receiver.until(lambda requests: len(requests) == 2)
            assert kinds_of_signatures(receiver.requests[1]) == ["v1", "v1a"]
            shown = await asyncio.to_thread(client.get, path)
            assert "secret" not in shown

            is_ill = True
            ill = await post("test", expect=201)
            await receiver.until(lambda requests: len(requests) == 3)
            await asyncio.to_thread(wait_for_attempt, ill)
            disabled = await post("disable")
            assert (disabled["status"], disabled["disabled_reason"]) == (
                "disabled",
                "disabled on demand",
            )
            assert (await post("disable")) == disabled
            await post("test", expect=409)
            resend = f"/deliveries/{ill['delivery_id']}/resend"
            await asyncio.to_thread(client.post, resend, expect=409)

            is_ill = False
            enabled = await post("enable")
            assert (enabled["status"], enabled["failing_since"]) == ("enabled", None)
            since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
            assert (await post("recover", {"since": since})) == {"deliveries": 1}
            await receiver.until(lambda requests: len(requests) == 4)
            assert receiver.requests[3].headers["webhook-id"] == ill["webhook_id"]
            await asyncio.to_thread(wait_for_status, ill, "delivered")
            await asyncio.to_thread(client.post, resend)
            await receiver.until(lambda requests: len(requests) == 5)
            assert receiver.requests[4].body == receiver.requests[3].body
            assert receiver.requests[4].headers["webhook-id"] == ill["webhook_id"]

    def wait_for_attempt(delivery: dict[str, Any]) -> None:
        def shown() -> list[dict[str, Any]]:
            log: list[dict[str, Any]] = client.get(f"/deliveries/{delivery['delivery_id']}")[
                "attempt_log"
            ]
            return log

        wait_until("the attempt is not noted", lambda: bool(shown()), timeout_s=20)
        assert (shown()[0]["status"], shown()[0]["answer"]) == (500, "ill\ufffd[2J")

    def wait_for_status(delivery: dict[str, Any], status: str) -> None:
        wait_until(
            f"the delivery is not {status}",
            lambda: client.get(f"/deliveries/{delivery['delivery_id']}")["status"] == status,
            timeout_s=20,
        )

    asyncio.run(run())


def test_a_rotation_whose_answer_was_lost_is_sent_again(stack: RunningStack) -> None:
    client = Client(stack)

    async def reply(_: Request) -> bytes:
        return answer(200)

    async def run() -> None:
        async with Receiver(reply).open() as receiver:
            registered = await asyncio.to_thread(client.register, receiver.url, signing="ed25519")
            path = f"/endpoints/{registered['endpoint_id']}"
            secret = {"secret": f"whsec_{base64.b64encode(bytes(32)).decode()}"}
            first, second = [
                await asyncio.to_thread(client.post, f"{path}/rotate-secret", secret)
                for _ in range(2)
            ]
            assert first == second
            await asyncio.to_thread(client.post, f"{path}/test", expect=201)
            await receiver.until(bool)
            # the key that the receiver had before still signs
            assert kinds_of_signatures(receiver.requests[0]) == ["v1", "v1a"]

    asyncio.run(run())


def test_an_endpoint_is_changed_and_deleted(stack: RunningStack) -> None:
    client, released = Client(stack), asyncio.Event()

    async def waits(request: Request) -> bytes:
        await released.wait()
        return answer(410)

    def change(registered: dict[str, Any], url: str) -> None:
        before = client.endpoint(registered)
        refused = client.patch(registered, expect=422, url="https://10.0.0.1/", in_order=False)
        assert refused["type"].endswith("url-refused")
        client.patch(registered, expect=422)
        client.patch(registered, expect=422, url=None)
        client.patch(registered, expect=422, signing="ed25519")
        client.patch(registered, expect=422, filter={"reason": ["card_declined"]})
        assert client.endpoint(registered) == before
        changes: dict[str, Any] = {
            "url": url,
            "event_types": TYPES[1:],
            "filter": {"currency": ["EUR"]},
            "in_order": False,
            "description": "the warehouse",
        }
        assert client.patch(registered, **changes) == before | changes
        assert client.patch(registered, description=None)["description"] is None

    def steer(registered: dict[str, Any]) -> None:
        assert client.patch(registered, status="disabled")["status"] == "disabled"
        assert client.patch(registered, status="enabled")["status"] == "enabled"

    def delete(registered: dict[str, Any]) -> None:
        [delivery, *_] = client.deliveries(registered)
        client.delete(registered)
        client.delete(registered, expect=404)
        client.patch(registered, expect=404, in_order=True)
        with pytest.raises(AssertionError, match="endpoint-not-found"):
            client.endpoint(registered)
        with pytest.raises(AssertionError, match="delivery-not-found"):
            client.get(f"/deliveries/{delivery['delivery_id']}")
        listed = client.get("/endpoints")["endpoints"]
        assert registered["endpoint_id"] not in {each["endpoint_id"] for each in listed}

    async def run() -> None:
        async with Receiver(waits).open() as former, Receiver().open() as present:
            registered = await asyncio.to_thread(client.register, former.url)
            path = f"/endpoints/{registered['endpoint_id']}/test"
            tested = await asyncio.to_thread(client.post, path, expect=201)
            await former.until(bool)
            await asyncio.to_thread(change, registered, present.url)
            released.set()
            await present.until(bool)
            assert present.requests[0].headers["webhook-id"] == tested["webhook_id"]
            await asyncio.to_thread(steer, registered)
            await asyncio.to_thread(delete, registered)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"url": "https://10.0.0.1/"}, "url-refused"),
        ({"url": "http://example.com/"}, "url-refused"),
        ({"url": "https://0x7f.1/"}, "url-refused"),
        ({"url": ""}, "invalid-request"),
        ({"event_types": []}, "invalid-request"),
        ({"event_types": ["order.eaten"]}, "invalid-request"),
        ({"filter": {"customer_id": []}}, "invalid-request"),
        ({"filter": {"Customer": ["x"]}}, "invalid-request"),
        ({"filter": {"curency": ["EUR"]}}, "invalid-request"),
        ({"filter": {"lines": ["tea"]}, "event_types": ["order.created"]}, "invalid-request"),
        # an order that is cancelled does not say whose it is, and would be waited for in vain
        ({"filter": {"customer_id": ["ada"]}}, "invalid-request"),
        ({"secret": "whsec_short"}, "invalid-request"),
        ({"secret": signing.new_secret(), "signing": "ed25519"}, "invalid-request"),
        ({"unknown": 1}, "invalid-request"),
    ],
)
def test_what_cannot_be_registered_is_a_problem_that_repeats_no_secret(
    stack: RunningStack, changes: dict[str, Any], kind: str
) -> None:
    url = f"{stack.settings.url_of('webhooks')}/v1/endpoints"
    body = {"url": "http://localhost:9/", "event_types": TYPES} | changes
    refused = plain_http.post(url, json=body)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, kind)
    assert "whsec_short" not in refused.text


def test_what_is_not_there_is_a_problem(stack: RunningStack) -> None:
    base = f"{stack.settings.url_of('webhooks')}/v1"
    for path in (
        f"/endpoints/{new_id()}",
        f"/endpoints/{new_id()}/deliveries",
        f"/deliveries/{2**62}",
    ):
        assert plain_http.get(f"{base}{path}").status_code == 404
    for path in ("/deliveries/0", f"/deliveries/{2**64}", "/deliveries/x", "/endpoints/x"):
        assert plain_http.get(f"{base}{path}").status_code == 404
    for verb in ("disable", "enable", "test"):
        assert plain_http.post(f"{base}/endpoints/{new_id()}/{verb}").status_code == 404


def test_secrets_are_in_no_table_and_no_log(stack: RunningStack) -> None:
    secret = signing.new_secret()
    body = {"url": "http://localhost:9/", "event_types": TYPES, "secret": secret}
    url = f"{stack.settings.url_of('webhooks')}/v1/endpoints"
    answered = plain_http.post(url, json=body, headers={"idempotency-key": str(new_id())})
    assert answered.json()["secret"] == secret
    with psycopg.connect(stack.database_url("webhooks")) as connection:
        rows = connection.execute("select to_jsonb(endpoint)::text, key from endpoint").fetchall()
        kept = connection.execute("select body from kept_answer").fetchall()
    assert not [row for row, key in rows if "whsec_" in row or b"whsec_" in key]
    assert not [body for (body,) in kept if secret.encode() in body]
    for part in ("webhooks", "webhooks-worker"):
        assert "whsec_" not in stack.log(part)


def test_each_event_is_noted_once_for_each_endpoint_that_wants_it(stack: RunningStack) -> None:
    wants, hears_nothing, later, off = (UUID(int=number) for number in range(4))
    now = datetime.now(UTC)
    cancelled = sample_of(OrderCancelled, reason="customer_request")
    other = sample_of(OrderCancelled, reason="x" * 30_000, order_id=new_id())

    async def prepare(connection: Connection) -> None:
        for endpoint_id, asked, created_at, disabled in (
            (wants, TYPES, now, None),
            (hears_nothing, TYPES[:1], now, None),
            (later, TYPES, now + timedelta(days=1), None),
            (off, TYPES, now, "off"),
        ):
            await connection.execute(
                "insert into endpoint (endpoint_id, url, event_types, filter, in_order, signing, key, created_at,"
                " disabled_reason) values (%s, '', %s, '{}', true, 'hmac-sha256', '', %s, %s)",
                [endpoint_id, asked, created_at, disabled],
            )

    async def run() -> None:
        told = settings_of(SERVICE, Settings, stack.deployment)
        database = PostgresDatabase(
            owner_url=stack.database_url("tailrace_owner"),
            url=told.database_url,
            packages=["producers.webhooks.migrations"],
            prepare=prepare,
        )
        async with database:
            scenario = Scenario(create_consumer(told, RealOutside()), database)
            await scenario.torment(
                deliver(cancelled), deliver(other), ignoring=("delivery_id", "created_at", "due_at")
            )
            bodies = {}
            for row in scenario.state["delivery"]:
                assert (row["endpoint_id"], row["status"]) == (wants, "pending")
                bodies[row["key"]] = json.loads(row["body"])["data"]
            assert bodies[str(cancelled.order_id)]["reason"] == "customer_request"
            assert bodies[str(other.order_id)] == {"order_id": str(other.order_id)}
            assert len(scenario.state["delivery"]) == 2

    asyncio.run(run())
