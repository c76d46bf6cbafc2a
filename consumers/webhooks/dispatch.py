"""Sends what is due: leases deliveries, calls their receivers side by side, outside of transactions, and settles them.

A lease is longer than a call can take. Whoever leased and died leaves the delivery to whoever looks when the lease is
over, and the receiver gets it under the same id.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row, dict_row

from cdc.chores import cancel, is_trouble_of_the_database
from cdc.context import MessageContext
from cdc.database import Pool
from cdc.due import LOOK_EVERY_S
from cdc.logs import FieldLogger
from cdc.tracing.spans import (
    Doing,
    Span,
    Value,
    beginning,
    derived_id,
    doing,
    ns_of,
    recorder,
    span_id_of,
    with_span_id,
)
from consumers.webhooks.calls import Outcome, call
from consumers.webhooks.domain import SWIFT_S, Decision, decide
from producers.webhooks import handlers as endpoints
from producers.webhooks.addresses import Policy
from producers.webhooks.sealing import Seal, UnsealError
from producers.webhooks.signing import sign
from schemas.messages.webhooks import EndpointDisabled
from tailrace import Connection, Outbox, load_queries, new_id

QUERIES = load_queries(__package__)

AT_ONCE = 64
"""Calls that a worker has under way at once, but for those that take long."""
NOT_SWIFT = 32
"""Of them those of endpoints that are not known to answer soon: new ones, slow ones, and those that fail."""
LONG_AT_ONCE = 256
"""Calls that take long, and wait beside the others. Beyond, the ones that have had the most time are broken off."""
OF_ENDPOINT = 8
"""Calls of one endpoint under way at once, whichever workers they are of; of one that fails, one."""
OF_HOST = 16
"""Calls of one host under way at once, however many endpoints it has."""
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
    created_at: datetime
    traceparent: str | None  # of the handling of the event, if that is recorded
    url: str = field(repr=False)  # it may hold what lets one in
    key: bytes = field(repr=False)
    former_key: bytes | None = field(repr=False)  # while it signs as well
    of_swift: bool  # the endpoint was known to answer soon


class _Call:
    """A delivery under way."""

    def __init__(self, leased: Leased, timeout_s: float) -> None:
        self.leased = leased
        self.within = asyncio.timeout(timeout_s)
        self.is_answered = False
        self._began = time.monotonic()

    @property
    def takes_long(self) -> bool:
        return time.monotonic() - self._began >= SWIFT_S

    @property
    def waits_long(self) -> bool:
        """Whether its receiver is waited for, and has been for long: its time is not over, nor was it broken off."""
        ends_at = self.within.when() or 0
        now = asyncio.get_running_loop().time()
        return self.takes_long and not self.is_answered and now < ends_at

    def break_off(self) -> None:
        self.within.reschedule(asyncio.get_running_loop().time())


class Dispatcher:
    """Sends what is due.

    However many receivers keep us waiting, they keep nobody else waiting for longer than `SWIFT_S`: what takes longer
    gives its place to others, and whoever is not known to be swift has a part of the places only.

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
        running: dict[asyncio.Task[None], _Call] = {}
        try:
            while True:
                for leased in await self._lease(list(running.values())):
                    begun = _Call(leased, self._timeout_s)
                    running[asyncio.create_task(self._send(begun), name="webhook")] = begun
                if not running:
                    return
                done, _ = await asyncio.wait(
                    running, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    del running[task]
        finally:
            await cancel(list(running))

    async def _lease(self, running: Sequence[_Call]) -> Sequence[Leased]:
        """Lease what there is room for; the oldest come first in `running`."""
        long = [each for each in running if each.waits_long]
        for each in long[: max(0, len(long) - LONG_AT_ONCE)]:
            each.break_off()
        brief = [each.leased for each in running if not each.takes_long]
        room = AT_ONCE - len(brief)
        not_swift = sum(not leased.of_swift for leased in brief)
        async with self._pool.connection() as connection, connection.transaction():
            if slow := [each.leased.endpoint_id for each in long if each.leased.of_swift]:
                await connection.execute(QUERIES["slow"], {"endpoint_ids": slow})
            found = await self._found(connection, room, swift=True)
            room = min(room - len(found), NOT_SWIFT - not_swift)
            return [*found, *await self._found(connection, room, swift=False)]

    async def _found(self, connection: Connection, limit: int, *, swift: bool) -> list[Leased]:
        if limit <= 0:
            return []
        values = {
            "limit": limit,
            "of_endpoint": OF_ENDPOINT,
            "of_host": OF_HOST,
            "swift": swift,
            "lease_s": self._timeout_s + LEASE_MARGIN_S,
        }
        async with connection.cursor(row_factory=class_row(Leased)) as cursor:
            await cursor.execute(QUERIES["lease"], values)
            return await cursor.fetchall()

    async def _send(self, begun: _Call) -> None:
        leased = begun.leased
        try:
            with _calling(leased) as span:
                outcome = await self._call(leased, begun.within)
                begun.is_answered = True
                _describe(span, outcome)
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

    async def _call(self, leased: Leased, within: asyncio.Timeout) -> Outcome:
        body, timestamp = leased.body.encode(), int(time.time())
        try:
            signature = sign(self._keys(leased), str(leased.webhook_id), timestamp, body)
        except UnsealError as error:
            told = f"not called: {error}"
            return Outcome(at=datetime.now(UTC), duration_s=0, error=told, is_ours=True)
        headers = {
            "content-type": "application/json",
            "user-agent": "tailrace-webhooks",
            "webhook-id": str(leased.webhook_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        return await call(leased.url, headers, body, self._policy, within=within)

    def _keys(self, leased: Leased) -> list[str]:
        keys = [self._seal.open(leased.key, leased.endpoint_id)]
        if leased.former_key:
            # it may be why there is a new one that it does not open any more
            with suppress(UnsealError):
                keys.append(self._seal.open(leased.former_key, leased.endpoint_id))
        return keys

    async def _settle(self, leased: Leased, outcome: Outcome) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(QUERIES["lock"], {"endpoint_id": leased.endpoint_id})
                [endpoint] = await cursor.fetchall()
            now = endpoint["now"]  # the database's, as there may be several workers
            attempts = leased.attempts + 1
            decision = decide(attempts, outcome, now, endpoint["failing_since"])
            if endpoint["url"] == leased.url:
                await self._note(connection, leased, outcome, decision, attempts)
                await self._judge(connection, leased, decision)
                if decision.disabled and endpoint["disabled_reason"] is None:
                    await self._disable(connection, leased, decision, now)
            else:
                # that the endpoint has left says nothing of where it is now, and it is tried there from the first on
                if decision.status != "delivered":
                    decision, attempts = Decision(status="pending", due_at=now), 0
                await self._note(connection, leased, outcome, decision, attempts)
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
        self,
        connection: Connection,
        leased: Leased,
        outcome: Outcome,
        decision: Decision,
        attempts: int,
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
        changes = {"status": decision.status, "due_at": decision.due_at, "attempts": attempts}
        settled = await connection.execute(QUERIES["settle"], of_it | changes)
        if settled.rowcount:
            await connection.execute(QUERIES["queue"], of_it | changes)

    async def _judge(self, connection: Connection, leased: Leased, decision: Decision) -> None:
        state = {
            "endpoint_id": leased.endpoint_id,
            "failing_since": decision.failing_since,
            "slowed_until": decision.slowed_until,
            "is_swift": decision.is_swift,
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
        context = MessageContext(correlation_id=new_id())
        with beginning("endpoint disabled", context) as begun:
            await self._outbox.send(
                connection, event, key=str(leased.endpoint_id), context=begun.context
            )
        log.warning("endpoint disabled", endpoint_id=leased.endpoint_id, reason=reason)

    async def _release(self, leased: Leased) -> None:
        of_it = {"delivery_id": leased.delivery_id, "leased_until": leased.leased_until}
        async with self._pool.connection() as connection:
            await connection.execute(QUERIES["release"], of_it)


def _calling(leased: Leased) -> Doing:
    """Return the span of a call, behind one of the delivery's wait since the event was handled."""
    context = MessageContext(correlation_id=leased.webhook_id, traceparent=leased.traceparent)
    attempt = leased.attempts + 1
    if (here := recorder()) is None or leased.traceparent is None:
        return doing("call webhook", context)
    wait_id = derived_id(leased.webhook_id, str(leased.endpoint_id), str(attempt))
    waiting = with_span_id(leased.traceparent, wait_id)
    told: dict[str, Value] = {
        "messaging.message.id": str(leased.webhook_id),
        "tailrace.endpoint_id": str(leased.endpoint_id),
        "tailrace.attempt": attempt,
    }
    here.wait(
        Span(
            "wait for webhook",
            waiting,
            span_id_of(leased.traceparent),
            ns_of(leased.created_at),
            time.time_ns(),
            attributes=told,
        )
    )
    # the URL may hold what lets one in, and the receiver is not told of our traces
    told = told | {"peer.service": "webhook receiver"}
    return doing("call webhook", replace(context, traceparent=waiting), "client", **told)


def _describe(span: Doing, outcome: Outcome) -> None:
    if outcome.status is not None:
        span.attributes["http.response.status_code"] = outcome.status
    if outcome.status is None or outcome.status >= 300:
        span.error = str(outcome.status or "no answer")


async def forget(pool: Pool, keep: timedelta) -> None:
    """Delete deliveries, and the attempts at them, that were over longer ago, and what is left of deleted endpoints."""
    for query in ("forget", "forget_deleted"):
        deleted = FORGET_AT_ONCE
        while deleted == FORGET_AT_ONCE:
            async with pool.connection() as connection:
                cursor = await connection.execute(
                    QUERIES[query], {"keep": keep, "limit": FORGET_AT_ONCE}
                )
                deleted = cursor.rowcount
    async with pool.connection() as connection:
        await connection.execute(QUERIES["forget_endpoints"])
