"""A trace of an order, from the request to the last effect, as a real Zipkin of the stack shows it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.probe import ProbeTimeoutError, wait_until
from infra.operations.flow import Flow, flow
from tests import plain_http
from tests.integration.test_users import signed_up
from tests.orders import place_lines, wait_until_decided
from tests.receiver import Receiver
from tests.stack import RunningStack
from tests.webhooks import register

SLACK_US = 2_000
"""Times of records are whole milliseconds."""


@pytest.fixture(scope="module")
def traced(stack: RunningStack) -> Iterator[RunningStack]:
    with stack.traced():
        yield stack


@dataclass(frozen=True)
class Seen:
    """A span as Zipkin has it; times are microseconds."""

    id: str
    parent: str | None
    name: str
    service: str
    begin: int
    end: int
    tags: Mapping[str, str]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Seen":
        return cls(
            id=found["id"],
            parent=found.get("parentId"),
            name=found["name"],
            service=found["localEndpoint"]["serviceName"],
            begin=found["timestamp"],
            end=found["timestamp"] + found["duration"],
            tags=found.get("tags", {}),
        )


def spans_of(stack: RunningStack, trace_id: str) -> list[Seen]:
    """Return what a trace has by now."""
    answer = plain_http.get(f"{stack.settings.zipkin_url}/api/v2/trace/{trace_id}")
    return [Seen.of(each) for each in answer.json()] if answer.status_code == 200 else []


def named(spans: Sequence[Seen], name: str, message_id: object) -> list[Seen]:
    return [
        each
        for each in spans
        if each.name.startswith(f"{name} ")
        and each.tags.get("messaging.message.id") == str(message_id)
    ]


def missing(spans: Sequence[Seen], found: Flow) -> list[str]:
    """Return what should be in the trace and is not: a wait in the outbox, in the topic and a handling each."""
    lacking = []
    for message in found.messages:
        took = [each.consumer for each in message.takings if each.state == "taken"]
        if took and len(named(spans, "outbox", message.message_id)) != 1:
            lacking.append(f"outbox wait of {message.type}")
        for name in ("topic", "process"):
            groups = [
                each.tags["messaging.consumer.group.name"]
                for each in named(spans, name, message.message_id)
            ]
            lacking += [
                f"{name} of {message.type} in {each}" for each in took if each not in groups
            ]
    ids = {each.id for each in spans}
    return lacking + [
        f"parent of {each.name}" for each in spans if each.parent and each.parent not in ids
    ]


def longest_gap_us(spans: Sequence[Seen]) -> int:
    """Return the longest time between the first begin and the last end in which no span was open."""
    gap, covered = 0, min(each.begin for each in spans)
    for each in sorted(spans, key=lambda span: span.begin):
        gap = max(gap, each.begin - covered)
        covered = max(covered, each.end)
    return gap


@pytest.mark.parametrize("fulfilment", ["choreography", "orchestration"])
def test_a_trace_leads_from_the_request_to_the_last_effect_without_a_gap(
    traced: RunningStack, fulfilment: str
) -> None:
    spans, order_id = asyncio.run(ordered(traced, fulfilment))
    roots = [each for each in spans if each.parent is None]
    assert [(each.service, each.name.split()[0]) for each in roots] == [("storefront", "post")]
    assert longest_gap_us(spans) <= SLACK_US
    by_id = {each.id: each for each in spans}
    assert len(by_id) == len(spans), "what several consumers have recorded is one span"
    for each in spans:
        if each.parent:
            assert each.begin >= by_id[each.parent].begin - SLACK_US, each
    done = {(each.service, each.name) for each in spans}
    assert {
        ("orders", "transaction"),
        ("users-grpc", "tailrace.users.v1.userservice/getuser"),
        ("loyalty", "tailrace.loyalty.v1.loyaltyservice/gettier"),
    } <= done
    page = plain_http.get(f"{traced.settings.console_url}/flow?id={order_id}").text
    [trace_id] = flow(traced.deployment, order_id).trace_ids
    assert f"{traced.settings.zipkin_url}/zipkin/traces/{trace_id}" in page


async def ordered(stack: RunningStack, fulfilment: str) -> tuple[list[Seen], str]:
    """Place an order of which a webhook tells, and return its trace once all of it is there."""
    async with Receiver().open() as receiver:
        await asyncio.to_thread(register, stack, receiver.url)
        customer = (await asyncio.to_thread(signed_up, stack, 1))[0]
        order = await asyncio.to_thread(
            place_lines, stack, {}, customer_id=customer, fulfilment=fulfilment
        )
        await receiver.until(lambda requests: len(requests) == 2)
        order_id = order["order_id"]
        await asyncio.to_thread(wait_until_decided, stack, [order_id])
        await asyncio.to_thread(
            wait_until, "it is not done", lambda: _flow(stack, order_id).is_done, timeout_s=30
        )
        found = _flow(stack, order_id)
        [trace_id] = found.trace_ids

        def lacking() -> list[str]:
            spans = spans_of(stack, trace_id)
            calls = sum(each.name == "call webhook" and "error" not in each.tags for each in spans)
            return [*missing(spans, found), *(["webhooks"] if calls < 2 else [])]

        try:
            await asyncio.to_thread(
                wait_until, "the trace is not whole", lambda: not lacking(), timeout_s=30
            )
        except ProbeTimeoutError:
            assert lacking() == []
        return spans_of(stack, trace_id), order_id


def test_a_trace_leads_from_a_sign_up_to_the_mail(traced: RunningStack) -> None:
    [user_id] = signed_up(traced, 1)
    found: list[Seen] = []

    def has_mail() -> bool:
        for trace_id in _flow(traced, user_id).trace_ids:
            found[:] = spans_of(traced, trace_id)
        return any(each.name == "call mailbox" for each in found)

    wait_until("no mail is in the trace", has_mail, timeout_s=30)
    [mail] = [each for each in found if each.name == "call mailbox"]
    [handled] = [each for each in found if each.id == mail.parent]
    assert (handled.service, handled.name) == ("notifications-worker", "process user.events")
    assert handled.begin <= mail.begin <= mail.end <= handled.end


def _flow(stack: RunningStack, order_id: str) -> Flow:
    return flow(stack.deployment, order_id)
