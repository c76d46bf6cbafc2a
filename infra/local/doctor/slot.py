"""Checks of the replication slot, and of what the outboxes hold that has not come to Kafka."""

from datetime import UTC, datetime

from cdc.slot import Slot
from infra import capture
from infra.drift import everything
from infra.drift.delivery import delivery_differences
from infra.local.doctor.check import Check, Trouble
from infra.local.doctor.differences import require_none
from infra.settings import Publisher, Settings

WORRYING_SHARE = 0.5
"""Of the WAL that a slot may hold back: from here on somebody should look, while there is time."""
WORRYING_WAL_BYTES = 2 * 2**30
"""The same where there is no limit: what fills is the disk."""
WORRYING_AGE_S = 30.0
PATIENCE_S = 3.0
MEGABYTE = 2**20


def _slot(settings: Settings) -> str:
    diagnosis = capture.examine(settings)
    if diagnosis.ailment is not None:
        raise Trouble(diagnosis.told, "run `tailrace connector recover`, which loses no row")
    slot = capture.slot(settings)
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


def _unpublished(settings: Settings) -> str:
    found = capture.unpublished(settings, PATIENCE_S)
    if found is None:
        return "not known yet, as the connector has published nothing"
    if found.oldest is None:
        return "nothing waits"
    age_s = (datetime.now(UTC) - found.oldest).total_seconds()
    told = f"{found.rows:,} rows wait for the connector, the oldest for {age_s:.0f} s"
    if age_s > WORRYING_AGE_S:
        raise Trouble(told, "see `tailrace connector status` and `tailrace logs connect`")
    return told


def _delivered(settings: Settings) -> str:
    require_none(delivery_differences(settings, everything.PATIENCE_S))
    return "no row is missing in Kafka that its publisher is past"


def _no_slot(settings: Settings) -> str:
    slot = capture.slot(settings)
    if slot is not None:
        raise Trouble(
            f"nobody reads it, and it holds back {_megabytes(slot.retained_bytes)} MB of WAL",
            "`make up PUBLISHER=relay` drops it once the relay publishes",
        )
    return "none, the relay needs none"


def slot_checks(publisher: Publisher) -> tuple[Check, ...]:
    """Return the checks of the slot with this publisher."""
    if publisher == "relay":
        return (
            Check("replication slot", _no_slot, needs=("postgres",)),
            Check("delivered rows", _delivered, needs=("postgres", "kafka", "relay")),
        )
    return (
        Check("replication slot", _slot, needs=("postgres", "connect")),
        Check("unpublished rows", _unpublished, needs=("postgres", "connect")),
        Check("delivered rows", _delivered, needs=("postgres", "kafka", "connect")),
    )
