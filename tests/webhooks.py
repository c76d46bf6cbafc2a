"""Endpoints of webhooks in tests, and calls of receivers."""

import asyncio
from collections.abc import Mapping
from typing import Any

from consumers.webhooks.calls import Outcome, call
from producers.webhooks.addresses import Policy
from tests import plain_http
from tests.stack import RunningStack

TYPES = ["order.created", "order.confirmed", "order.cancelled"]


def register(stack: RunningStack, url: str, **asked: Any) -> dict[str, Any]:
    """Register an endpoint, and return it with its secret as the service answers."""
    body = {"url": url, "event_types": TYPES} | asked
    answer = plain_http.post(f"{stack.settings.url_of('webhooks')}/v1/endpoints", json=body)
    assert answer.status_code == 201, answer.text
    endpoint: dict[str, Any] = answer.json()
    return endpoint


async def call_once(url: str, headers: Mapping[str, str], body: bytes, policy: Policy) -> Outcome:
    """Call a receiver, which has five seconds."""
    return await call(url, headers, body, policy, within=asyncio.timeout(5))
