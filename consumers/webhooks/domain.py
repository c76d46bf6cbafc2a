"""What is decided about a delivery after each attempt, and about its endpoint: the schedule of Standard Webhooks."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.webhooks.calls import Outcome

PAUSES_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Pauses before the second attempt and those after it, in seconds: 75.6 hours in all, as the specification suggests."""
JITTER = 0.1
"""Part of a pause by which it may be longer, so that what failed together is not tried together again."""
GONE = 410
BUSY = frozenset({429, 502, 503, 504})
"""Answers of an endpoint that should be called less."""
SLOWED_S = 30.0
"""How long a busy endpoint is left alone that does not say how long, in seconds."""
SWIFT_S = 2.0
"""How long a call may take that holds up nobody else, in seconds."""
GIVEN_UP_AFTER = timedelta(days=5)
"""How long an endpoint may answer with nothing but failures until it is disabled, as Svix has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a delivery and of its endpoint."""

    status: str  # of the delivery
    due_at: datetime | None = None  # when it is tried again, if it is
    failing_since: datetime | None = None
    slowed_until: datetime | None = None
    is_swift: bool = False  # the endpoint has answered soon
    disabled: str | None = None  # why it is called no more


def decide(
    attempts: int,
    outcome: Outcome,
    now: datetime,
    failing_since: datetime | None,
    chance: Callable[[], float] = random.random,
) -> Decision:
    """Decide.

    Args:
        attempts: Attempts at this delivery, the one included that this is about.
        outcome: What came of it.
        now: The present.
        failing_since: Since when no call of the endpoint has succeeded; None when the last one did.
        chance: Returns a number from 0 to 1.
    """
    if outcome.status is not None and 200 <= outcome.status < 300:
        return Decision(status="delivered", is_swift=outcome.duration_s < SWIFT_S)
    since = failing_since if outcome.is_ours else failing_since or now
    if outcome.status == GONE:
        return Decision(status="skipped", failing_since=since, disabled="it answered 410 Gone")
    if since and now - since >= GIVEN_UP_AFTER and not outcome.is_ours:
        days = GIVEN_UP_AFTER.days
        return Decision(
            status="skipped",
            failing_since=since,
            disabled=f"no call has succeeded for {days} days",
        )
    slowed = now + timedelta(seconds=_slowed_s(outcome)) if outcome.status in BUSY else None
    if attempts > len(PAUSES_S):
        return Decision(status="failed", failing_since=since, slowed_until=slowed)
    pause = timedelta(seconds=PAUSES_S[attempts - 1] * (1 + JITTER * chance()))
    due_at = max(now + pause, slowed or now)
    return Decision(status="pending", due_at=due_at, failing_since=since, slowed_until=slowed)


def _slowed_s(outcome: Outcome) -> float:
    return SLOWED_S if outcome.retry_after_s is None else outcome.retry_after_s
