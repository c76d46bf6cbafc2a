"""Version 1 of webhooks: how endpoints are registered and steered, and what was delivered to them."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request

from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.pages import LISTED, Pages
from producers.rest.problems import REFUSALS, answers
from producers.rest.storage import Stored
from producers.rest.versions import version_router
from producers.webhooks import handlers
from producers.webhooks.addresses import admit
from producers.webhooks.desk import AtDesk
from schemas.rest.webhooks import API, V1
from schemas.rest.webhooks.v1 import (
    Attempt,
    ChangeEndpoint,
    Deliveries,
    Delivery,
    DeliveryWithAttempts,
    Endpoint,
    Endpoints,
    EndpointWithSecret,
    ListDeliveries,
    ListEndpoints,
    Recover,
    Recovered,
    RegisterEndpoint,
    RotateSecret,
    RowId,
)

router = version_router(API, V1)

DeliveryId = Annotated[RowId, Path()]

OLDEST_FIRST: Pages[handlers.Row, UUID] = Pages(TypeAdapter(UUID), itemgetter("endpoint_id"))
NEWEST_FIRST: Pages[handlers.Row, int] = Pages(TypeAdapter[int](RowId), itemgetter("delivery_id"))


@router.post("/endpoints", status_code=201, responses=CREATED | REFUSALS | answers(503))
async def register(
    asked: RegisterEndpoint, storage: Stored, context: Context, location: Location, desk: AtDesk
) -> EndpointWithSecret:
    """Register an endpoint. A secret is told in this answer, and never again."""
    await admit(asked.url, desk.policy)
    key = handlers.key_for(asked.signing, asked.secret)
    registration = handlers.Registration(**asked.model_dump(exclude={"secret"}))
    async with storage.work(context, keeps_answer=False) as work:
        row = await handlers.register(registration, key, desk.seal, work)
    location.tell(row["endpoint_id"])
    return with_secret(row, key)


@router.get("/endpoints", responses=LISTED | answers(503))
async def list_endpoints(
    asked: Annotated[ListEndpoints, Query()], storage: Stored, request: Request
) -> Endpoints:
    """List endpoints, oldest first."""
    after = OLDEST_FIRST.after(asked, request) or asked.after
    async with storage.connection() as connection:
        found = await handlers.find_all(after, asked.limit + 1, connection)
    page = OLDEST_FIRST.page(found, asked, request)
    endpoints = [to_endpoint(row) for row in page.rows]
    next_after = endpoints[-1].endpoint_id if page.next else None
    return Endpoints(endpoints=endpoints, next=page.next, next_after=next_after)


@router.get("/endpoints/{endpoint_id}", responses=answers(404, 503))
async def show(endpoint_id: UUID, storage: Stored) -> Endpoint:
    """Show an endpoint as it stands."""
    async with storage.connection() as connection:
        return to_endpoint(await handlers.find(endpoint_id, connection))


@router.patch("/endpoints/{endpoint_id}", responses=REFUSALS | answers(404, 503))
async def change(
    endpoint_id: UUID, asked: ChangeEndpoint, storage: Stored, context: Context, desk: AtDesk
) -> Endpoint:
    """Change an endpoint; what is left out stays as it is."""
    if asked.url is not None:
        await admit(asked.url, desk.policy)
    async with storage.work(context) as work:
        changes = asked.model_dump(exclude_unset=True)
        return to_endpoint(await handlers.change(endpoint_id, changes, work))


@router.delete("/endpoints/{endpoint_id}", status_code=204, responses=answers(404, 503))
async def delete(endpoint_id: UUID, storage: Stored, context: Context) -> None:
    """Delete an endpoint with all that is noted for it. A call that is under way is not broken off."""
    async with storage.work(context) as work:
        await handlers.delete(endpoint_id, work)


@router.post("/endpoints/{endpoint_id}/disable", responses=answers(404, 503))
async def disable(endpoint_id: UUID, storage: Stored, context: Context) -> Endpoint:
    """Call an endpoint no more. What waits for it is skipped, and can be recovered later."""
    async with storage.work(context) as work:
        return to_endpoint(await handlers.change(endpoint_id, {"status": "disabled"}, work))


@router.post("/endpoints/{endpoint_id}/enable", responses=answers(404, 503))
async def enable(endpoint_id: UUID, storage: Stored, context: Context) -> Endpoint:
    """Call an endpoint again, for what happens from now on."""
    async with storage.work(context) as work:
        return to_endpoint(await handlers.change(endpoint_id, {"status": "enabled"}, work))


@router.post("/endpoints/{endpoint_id}/rotate-secret", responses=REFUSALS | answers(404, 503))
async def rotate_secret(
    endpoint_id: UUID, asked: RotateSecret, storage: Stored, context: Context, desk: AtDesk
) -> EndpointWithSecret:
    """Have another secret or key sign; for 24 hours the former one signs as well."""
    key = handlers.key_for(asked.signing, asked.secret)
    async with storage.work(context, keeps_answer=False) as work:
        row = await handlers.rotate(endpoint_id, asked.signing, key, desk.seal, work)
    return with_secret(row, key)


@router.post("/endpoints/{endpoint_id}/test", status_code=201, responses=answers(404, 409, 503))
async def send_test(endpoint_id: UUID, storage: Stored, context: Context) -> Delivery:
    """Send an event of the type `webhook.test`, which every endpoint gets."""
    async with storage.work(context) as work:
        return to_delivery(await handlers.send_test(endpoint_id, work))


@router.post("/endpoints/{endpoint_id}/recover", responses=REFUSALS | answers(404, 409, 503))
async def recover(
    endpoint_id: UUID, asked: Recover, storage: Stored, context: Context
) -> Recovered:
    """Deliver, from the first attempt on, what has happened since then and has not arrived."""
    async with storage.work(context) as work:
        return Recovered(deliveries=await handlers.recover(endpoint_id, asked.since, work))


@router.get("/endpoints/{endpoint_id}/deliveries", responses=LISTED | answers(404, 503))
async def list_deliveries(
    endpoint_id: UUID, asked: Annotated[ListDeliveries, Query()], storage: Stored, request: Request
) -> Deliveries:
    """List the deliveries of an endpoint, newest first."""
    before = NEWEST_FIRST.after(asked, request) or asked.before
    async with storage.connection() as connection:
        found = await handlers.find_deliveries(
            endpoint_id, asked.status, before, asked.limit + 1, connection
        )
    page = NEWEST_FIRST.page(found, asked, request)
    deliveries = [to_delivery(row) for row in page.rows]
    next_before = deliveries[-1].delivery_id if page.next else None
    return Deliveries(deliveries=deliveries, next=page.next, next_before=next_before)


@router.get("/deliveries/{delivery_id}", responses=answers(404, 503))
async def show_delivery(delivery_id: DeliveryId, storage: Stored) -> DeliveryWithAttempts:
    """Show a delivery, and every attempt at it."""
    async with storage.connection() as connection:
        row, attempts = await handlers.find_delivery(delivery_id, connection)
    return DeliveryWithAttempts(
        **to_delivery(row).model_dump(), attempt_log=[Attempt(**each) for each in attempts]
    )


@router.post("/deliveries/{delivery_id}/resend", responses=answers(404, 409, 503))
async def resend(delivery_id: DeliveryId, storage: Stored, context: Context) -> Delivery:
    """Send a delivery again, under the id that it has."""
    async with storage.work(context) as work:
        return to_delivery(await handlers.resend(delivery_id, work))


def to_endpoint(row: Mapping[str, Any]) -> Endpoint:
    return Endpoint(**row, status="disabled" if row["disabled_reason"] else "enabled")


def with_secret(row: Mapping[str, Any], key: str) -> EndpointWithSecret:
    """Return an endpoint with the secret that both sides need, for this once; a private key stays here."""
    secret = None if row["public_key"] else key
    return EndpointWithSecret(**to_endpoint(row).model_dump(), secret=secret)


def to_delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(**row)
