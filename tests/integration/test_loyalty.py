"""The chain of an order: storefront, orders and users by REST and gRPC, loyalty behind them."""

import time
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from infra.local.probe import wait_until
from infra.services import OWNER, SUPERUSER
from producers.loyalty.domain import POINTS, Tier
from producers.orders.bootstrap import Settings
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub
from schemas.rpc.users.v1 import users_pb2 as users
from schemas.rpc.users.v1.users_pb2_grpc import UserServiceStub
from tests import plain_http
from tests.doctor import findings
from tests.integration.test_users import signed_up
from tests.stack import RunningStack

WAIT_S = Settings.model_fields["users_timeout_ms"].default / 1000
OVERHEAD_S = 1.5  # of an order itself, on a machine that runs other stacks as well
NOBODY = "0197d3a0-0000-7000-8000-000000000000"


def channel_to(stack: RunningStack, service: str) -> grpc.Channel:
    return grpc.insecure_channel(f"127.0.0.1:{stack.settings.port_of(service)}")


def order(stack: RunningStack, customer_id: str, *, version: int = 2) -> dict[str, Any]:
    line = {"sku": "book", "quantity": 3, "unit_price": "10.00"}
    more = {"tax_rate": "0.20", "digital": True} if version == 2 else {}
    body = {"customer_id": customer_id, "currency": "EUR", "lines": [line | more]}
    url = stack.settings.url_of("storefront")
    answer = plain_http.post(f"{url}/v{version}/orders", json=body)
    assert answer.status_code == 201, answer.text
    placed: dict[str, Any] = answer.json()
    return placed


def look(stack: RunningStack, order_id: str, *, version: int = 2) -> dict[str, Any]:
    url = f"{stack.settings.url_of('storefront')}/v{version}/orders/{order_id}"
    found: dict[str, Any] = plain_http.get(url).raise_for_status().json()
    return found


def account(stack: RunningStack, user_id: str) -> loyalty.Account | None:
    with channel_to(stack, "loyalty") as channel:
        question = loyalty.GetAccountRequest(user_id=user_id)
        try:
            answer = LoyaltyServiceStub(channel).GetAccount(question, timeout=10)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return None
    found: loyalty.Account = answer.account
    return found


def test_what_a_user_has_bought_lowers_the_price_of_the_next_order(stack: RunningStack) -> None:
    [user_id] = signed_up(stack, 1)
    first = order(stack, user_id)
    assert (first["tier"], first["tier_source"]) == ("standard", "loyalty")
    assert (first["discount"], first["total"]) == ("0.00", "36.00")
    others = [order(stack, user_id) for _ in range(POINTS[Tier.SILVER] - 1)]
    wait_until(
        "the orders do not count",
        lambda: (
            (found := account(stack, user_id)) is not None and found.points == POINTS[Tier.SILVER]
        ),
        timeout_s=60,
    )
    dearest = order(stack, user_id)
    assert (dearest["tier"], dearest["tier_source"]) == ("silver", "loyalty")
    assert (dearest["net"], dearest["tax"], dearest["total"]) == ("29.40", "5.88", "35.28")
    assert dearest["discount"] == "0.72"
    assert dearest["lines"][0]["unit_price"] == "9.80"
    again = look(stack, dearest["order_id"])
    assert {again[each] for each in ("tier", "discount")} == {"silver", "0.72"}
    in_version_1 = look(stack, dearest["order_id"], version=1)
    assert in_version_1["total"] == "35.28"
    assert not in_version_1.keys() & {"tier", "tier_source", "discount"}
    assert {look(stack, each["order_id"])["tier"] for each in others} == {"standard"}
    stack.cli("outbox", "verify", "--topic", "order.events")


def test_only_users_are_asked_about(stack: RunningStack) -> None:
    [user_id] = signed_up(stack, 1)
    for customer_id in ("ada", NOBODY, user_id.upper(), user_id.replace("-", ""), "ä" * 100):
        assert not order(stack, customer_id).keys() & {"tier", "tier_source", "discount"}
    assert "tier" not in order(stack, user_id, version=1)


def test_an_order_is_placed_whoever_is_gone(stack: RunningStack) -> None:
    [user_id] = signed_up(stack, 1)
    with stack.frozen("loyalty"):
        began = time.monotonic()
        placed = order(stack, user_id)
        assert time.monotonic() - began < WAIT_S + OVERHEAD_S
        assert (placed["tier"], placed["tier_source"]) == ("standard", "fallback")
    for gone in ("users-grpc", "loyalty"):
        stack.stop(gone)
        placed = order(stack, user_id)
        assert (placed["tier"], placed["tier_source"]) == ("standard", "fallback")
        stack.start(gone)
        wait_until(
            "users are not asked again",
            lambda: order(stack, user_id)["tier_source"] == "loyalty",
            timeout_s=30,
        )


@pytest.mark.parametrize("service", ["users-grpc", "loyalty"])
def test_services_say_how_they_are_and_what_they_offer(stack: RunningStack, service: str) -> None:
    with channel_to(stack, service) as channel:
        said = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10
        )
        assert said.status == health_pb2.HealthCheckResponse.SERVING
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        [listed] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([ask]), timeout=10
        )
    names = {each.name for each in listed.list_services_response.service}
    assert {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} < names
    assert [each for each in names if each.startswith("tailrace.")]
    assert stack.status()[service].url == stack.settings.url_of(service)


def test_a_user_is_told_of_with_their_tier(stack: RunningStack) -> None:
    [user_id] = signed_up(stack, 1)
    with channel_to(stack, "users-grpc") as channel:
        stub = UserServiceStub(channel)
        user = stub.GetUser(users.GetUserRequest(user_id=user_id), timeout=10).user
        assert (user.user_id, user.tier) == (user_id, loyalty.TIER_STANDARD)
        assert user.email.endswith("@example.com")
        for unknown, code in (
            (NOBODY, grpc.StatusCode.NOT_FOUND),
            ("ada", grpc.StatusCode.NOT_FOUND),
            ("\x00", grpc.StatusCode.NOT_FOUND),
            ("", grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                stub.GetUser(users.GetUserRequest(user_id=unknown), timeout=10)
            assert refused.value.code() is code
    assert "@example.com" not in stack.log("users-grpc")


def test_a_database_that_is_locked_ends_the_call_in_time_and_its_statement(
    stack: RunningStack,
) -> None:
    [user_id] = signed_up(stack, 1)
    with (
        psycopg.connect(stack.database_url(OWNER)) as locking,
        channel_to(stack, "loyalty") as channel,
    ):
        locking.execute("lock table loyalty.account in access exclusive mode")
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as refused:
            LoyaltyServiceStub(channel).GetTier(
                loyalty.GetTierRequest(user_id=user_id), timeout=0.5
            )
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - began < 0.55
        # the worker of the same role waits as well, and may
        waiting = (
            "select count(*) from pg_stat_activity where usename = 'loyalty' and wait_event_type = 'Lock' "
            "and query like 'select user_id, points%'"
        )

        def is_nobody_waiting() -> bool:
            with psycopg.connect(stack.database_url(SUPERUSER)) as looking:
                [[count]] = looking.execute(waiting).fetchall()
            return bool(count == 0)

        wait_until("its statement goes on", is_nobody_waiting, timeout_s=5)


@pytest.mark.parametrize("service", ["users-grpc", "loyalty"])
def test_the_doctor_sees_one_that_does_not_answer(stack: RunningStack, service: str) -> None:
    def state() -> str:
        return str(findings(stack)[service]["state"])

    assert state() == "ok"
    with stack.frozen(service):
        assert state() != "ok"
