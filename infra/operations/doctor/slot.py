"""Checks of the replication slot, and of what the outboxes hold that has not come to Kafka."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from cdc.slot import Slot
from infra import capture
from infra.deployment import Deployment, Publisher, Shard
from infra.drift import everything
from infra.drift.delivery import delivery_differences
from infra.operations.doctor.captures import of_each
from infra.operations.doctor.check import Check, Trouble
from infra.operations.doctor.differences import require_none

WORRYING_SHARE = 0.5
"""Of the WAL that a slot may hold back: from here on somebody should look, while there is time."""
WORRYING_WAL_BYTES = 2 * 2**30  # the same where there is no limit: what fills is the disk
WORRYING_AGE_S = 30.0
PATIENCE_S = 3.0
MEGABYTE = 2**20


def _slot(deployment: Deployment, of: Shard) -> str:
    diagnosis = capture.examine(deployment, of)
    if diagnosis.ailment is not None:
        raise Trouble(diagnosis.told, "run `tailrace connector recover`, which loses no row")
    slot = capture.slot(of)
    if slot is None:
        raise Trouble("does not exist", "the connector makes it: run `tailrace connector apply`")
    facts = _facts(slot)
    if slot.wal_status == "unreserved":
        raise Trouble(
            f"is about to be given up by Postgres: {facts}",
            "have the connector catch up at once, or raise max_slot_wal_keep_size; see `tailrace connector status`",
        )
    if not slot.active:
        raise Trouble(f"nobody reads it, {facts}", "run `tailrace connector apply`")
    if (slot.retained_bytes or 0) > _worrying(slot):
        raise Trouble(
            f"the connector is behind: {facts}",
            "see `tailrace logs connect`, and end transactions that are open for long",
        )
    return f"active, {facts}"


def _facts(slot: Slot) -> str:
    facts = [
        str(slot.wal_status),
        f"{_megabytes(slot.retained_bytes)} MB of WAL held back",
        f"{_megabytes(slot.unconfirmed_bytes)} MB not confirmed",
    ]
    if slot.safe_bytes is not None:
        facts.append(f"{_megabytes(slot.safe_bytes)} MB until it is given up")
    return ", ".join(facts)


def _megabytes(number: int | None) -> int:
    return (number or 0) // MEGABYTE


def _worrying(slot: Slot) -> float:
    return slot.limit_bytes * WORRYING_SHARE if slot.limit_bytes else WORRYING_WAL_BYTES


def _unpublished(deployment: Deployment, of: Shard) -> str:
    found = capture.unpublished(deployment, of, PATIENCE_S)
    if found is None:
        return "not known yet, as the connector has published nothing"
    if found.oldest is None:
        return "nothing waits"
    age_s = (datetime.now(UTC) - found.oldest).total_seconds()
    told = f"{found.rows:,} rows wait for the connector, the oldest for {age_s:.0f} s"
    if age_s > WORRYING_AGE_S:
        raise Trouble(told, "see `tailrace connector status` and `tailrace logs connect`")
    return told


def _delivered(deployment: Deployment) -> str:
    require_none(delivery_differences(deployment, everything.PATIENCE_S))
    return "no row is missing in Kafka that its publisher is past"


def _no_slot(of: Shard) -> str:
    slot = capture.slot(of)
    if slot is not None:
        raise Trouble(
            f"nobody reads it, and it holds back {_megabytes(slot.retained_bytes)} MB of WAL",
            "`make up PUBLISHER=relay` drops it once the relay publishes",
        )
    return "none, the relay needs none"


def slot_checks(deployment: Deployment, publisher: Publisher) -> tuple[Check, ...]:
    if publisher == "relay":
        return (
            Check(
                "replication slot",
                partial(of_each, deployment.shards, _no_slot),
                needs=("postgres",),
            ),
            Check(
                "delivered rows",
                partial(_delivered, deployment),
                needs=("postgres", "kafka", "relay"),
            ),
        )

    def each(look: Callable[[Deployment, Shard], str]) -> Callable[[], str]:
        return partial(of_each, deployment.shards, partial(look, deployment))

    return (
        Check("replication slot", each(_slot), needs=("postgres", "connect")),
        Check("unpublished rows", each(_unpublished), needs=("postgres", "connect")),
        Check(
            "delivered rows",
            partial(_delivered, deployment),
            needs=("postgres", "kafka", "connect"),
        ),
    )
