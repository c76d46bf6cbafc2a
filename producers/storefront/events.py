"""What happens to orders, as streams of events for browsers. It is in no version but its own: nothing is negotiated."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header

from producers.rest.access.routes import route_of
from producers.rest.context import Context
from producers.rest.event_stream import Event, EventStream, Streams, number_in
from producers.rest.problems import answers
from producers.storefront.orders_client import BEHIND
from producers.storefront.orders_watch import Watched
from schemas.rest.orders import API, V2
from schemas.rest.orders.v2 import OrderState

router = APIRouter(prefix=V2.prefix, route_class=route_of(API))

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": OrderState,
        "description": "Events whose `data` are states in JSON, and whose `id` are their versions.",
    },
    204: {
        "description": "Nothing more will happen to the order, and it was all told: do not come back."
    },
}


@router.get(
    "/orders/{order_id}/events",
    status_code=200,
    response_class=EventStream,
    responses=STREAMED | answers(404) | BEHIND,
)
async def follow(
    order_id: UUID,
    watch: Watched,
    streams: Streams,
    context: Context,
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID", description="Version seen last; nothing up to it is told again."
        ),
    ] = "",
) -> EventStream:
    """Follow an order as Server-Sent Events: how it stands, then each of its changes, until it is decided.

    `EventSource` does the rest: it comes back when the stream has ended or broken, with the id of the last event, and
    stays away once it is answered with 204.
    """
    states = watch.states(order_id, number_in(last_event_id), context)
    return EventStream(_events(states), streams)


async def _events(
    states: AsyncGenerator[OrderState | None, None],
) -> AsyncGenerator[Event | None, None]:
    async with aclosing(states):
        async for state in states:
            yield _event(state) if state else None


def _event(state: OrderState) -> Event:
    return Event(state.version, state.model_dump_json(exclude_none=True))
