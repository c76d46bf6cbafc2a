"""Sends what is due: leases deliveries, calls their receivers side by side, outside of transactions, and settles them.

A lease is longer than a call can take. Whoever leased and died leaves the delivery to whoever looks when the lease is
over, and the receiver gets it under the same id.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row, dict_row

from cdc.chores import cancel, is_trouble_of_the_database
from cdc.context import MessageContext, next_traceparent
from cdc.database import Pool
from cdc.due import LOOK_EVERY_S
from cdc.logs import FieldLogger
from consumers.webhooks.domain import Decision, decide
from producers.webhooks import handlers as endpoints
from producers.webhooks.addresses import Policy
from producers.webhooks.calls import Outcome, call
from producers.webhooks.sealing import Seal, UnsealError
from producers.webhooks.signing import sign
from schemas.messages.webhooks import EndpointDisabled
from tailrace import Connection, Outbox, load_queries, new_id

QUERIES = load_queries(__package__)

AT_ONCE = 64
"""Calls that a worker has under way at once."""
AT_ONCE_EACH = 8
"""Calls of one endpoint under way at once, whichever workers they are of; of one that fails, one."""
LEASE_MARGIN_S = 10.0
"""How much longer a lease is than a call, in seconds: for connections to the database, and clocks."""
FORGET_AT_ONCE = 1000

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A delivery that this worker sends now, and nobody else."""

    delivery_id: int
    endpoint_id: UUID
    webhook_id: UUID
    body: str = field(repr=False)
    attempts: int  # before this one
    leased_until: datetime  # by which it is known that the lease is this one
    url: str = field(repr=False)  # it may hold what lets one in
    key: bytes = field(repr=False)
    former_key: bytes | None = field(repr=False)  # while it signs as well


class Dispatcher:
    """Sends what is due.

    Args:
        pool: Connections to the schema.
        outbox: Where it is told that an endpoint was disabled.
        policy: What may be called.
        seal: Opens the keys of endpoints.
        timeout_s: How long a call may take, in seconds.
    """

    def __init__(
        self, pool: Pool, outbox: Outbox, policy: Policy, seal: Seal, *, timeout_s: float
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._policy = policy
        self._seal = seal
        self._timeout_s = timeout_s

    async def send_due(self) -> None:
        """Send until nothing is due or under way any more.

        Raises:
            psycopg.Error: the database cannot do its work; what is under way is released, or due again later.
        """
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                for leased in await self._lease(AT_ONCE - len(running)):
                    running.add(asyncio.create_task(self._send(leased), name="webhook"))
                if not running:
                    return
                _, running = await asyncio.wait(
                    running, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            await cancel(list(running))

    async def _lease(self, limit: int) -> Sequence[Leased]:
        if not limit:
            return []
        lease_s = self._timeout_s + LEASE_MARGIN_S
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Leased)) as cursor,
        ):
            await cursor.execute(
                QUERIES["lease"], {"limit": limit, "at_once": AT_ONCE_EACH, "lease_s": lease_s}
            )
            return await cursor.fetchall()

    async def _send(self, leased: Leased) -> None:
        try:
            outcome = await self._call(leased)
            await self._settle(leased, outcome)
        except asyncio.CancelledError:
            await asyncio.shield(self._release(leased))
            raise
        except Exception as error:  # it is due again when its lease is over
            fields = {"delivery_id": leased.delivery_id, "endpoint_id": leased.endpoint_id}
            if is_trouble_of_the_database(error):
                log.warning("webhook not settled", error=repr(error), **fields)
            else:
                log.exception("webhook not sent", **fields)

    async def _call(self, leased: Leased) -> Outcome:
        body, timestamp = leased.body.encode(), int(time.time())
        try:
            signature = sign(self._keys(leased), str(leased.webhook_id), timestamp, body)
        except UnsealError as error:
            return Outcome(at=datetime.now(UTC), duration_s=0, error=f"not called: {error}")
        headers = {
            "content-type": "application/json",
            "user-agent": "tailrace-webhooks",
            "webhook-id": str(leased.webhook_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        return await call(leased.url, headers, body, self._policy, timeout_s=self._timeout_s)

    def _keys(self, leased: Leased) -> list[str]:
        sealed = [leased.key, *([leased.former_key] if leased.former_key else [])]
        return [self._seal.open(each, leased.endpoint_id) for each in sealed]

    async def _settle(self, leased: Leased, outcome: Outcome) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(QUERIES["lock"], {"endpoint_id": leased.endpoint_id})
                [endpoint] = await cursor.fetchall()
            now = endpoint["now"]  # the database's, as there may be several workers
            decision = decide(leased.attempts + 1, outcome, now, endpoint["failing_since"])
            await self._note(connection, leased, outcome, decision)
            if decision.disabled and endpoint["disabled_reason"] is None:
                await self._disable(connection, leased, decision, now)
        log.info(
            "webhook",
            delivery_id=leased.delivery_id,
            endpoint_id=leased.endpoint_id,
            webhook_id=leased.webhook_id,
            attempt=leased.attempts + 1,
            answered=outcome.status or "nothing",
            status=decision.status,
        )

    async def _note(
        self, connection: Connection, leased: Leased, outcome: Outcome, decision: Decision
    ) -> None:
        attempt = {
            "attempted_at": outcome.at,
            "duration_ms": round(outcome.duration_s * 1000),
            "status": outcome.status,
            "error": outcome.error,
            "answer": outcome.answer,
        }
        of_it = {"delivery_id": leased.delivery_id, "leased_until": leased.leased_until}
        await connection.execute(QUERIES["note"], of_it | attempt)
        changes = {"status": decision.status, "due_at": decision.due_at}
        settled = await connection.execute(QUERIES["settle"], of_it | changes)
        if settled.rowcount:
            await connection.execute(QUERIES["queue"], of_it | changes)
        state = {
            "endpoint_id": leased.endpoint_id,
            "failing_since": decision.failing_since,
            "slowed_until": decision.slowed_until,
        }
        await connection.execute(QUERIES["judge"], state)

    async def _disable(
        self, connection: Connection, leased: Leased, decision: Decision, now: datetime
    ) -> None:
        reason = decision.disabled or ""
        await endpoints.stop(leased.endpoint_id, reason, connection)
        event = EndpointDisabled(
            endpoint_id=leased.endpoint_id,
            reason=reason,
            failing_since=decision.failing_since or now,
            disabled_at=now,
        )
        context = MessageContext(correlation_id=new_id(), traceparent=next_traceparent(None))
        await self._outbox.send(connection, event, key=str(leased.endpoint_id), context=context)
        log.warning("endpoint disabled", endpoint_id=leased.endpoint_id, reason=reason)

    async def _release(self, leased: Leased) -> None:
        of_it = {"delivery_id": leased.delivery_id, "leased_until": leased.leased_until}
        async with self._pool.connection() as connection:
            await connection.execute(QUERIES["release"], of_it)


async def forget(pool: Pool, keep: timedelta) -> None:
    """Delete deliveries, and the attempts at them, that were over longer ago."""
    deleted = FORGET_AT_ONCE
    while deleted == FORGET_AT_ONCE:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                QUERIES["forget"], {"keep": keep, "limit": FORGET_AT_ONCE}
            )
            deleted = cursor.rowcount
