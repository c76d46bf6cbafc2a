"""How the commands about the connector tell of its slot."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cdc.slot import Slot

MEGABYTE = 2**20


def sentence(told: str) -> str:
    """Return a clause as a sentence."""
    return f"{told[0].upper()}{told[1:]}."


def slot_data(slot: Slot | None) -> dict[str, Any] | None:
    """Return a slot as JSON holds it."""
    if slot is None:
        return None
    since = slot.inactive_since
    return asdict(slot) | {"inactive_since": since.isoformat() if since else None}


def slot_lines(slot: Slot | None) -> Iterator[str]:
    """Yield what there is to say about a slot."""
    if slot is None:
        yield "slot: none"
        return
    since = f" since {slot.inactive_since:%Y-%m-%d %H:%M:%S}" if slot.inactive_since else ""
    read = f"read by pid {slot.active_pid}" if slot.active else f"read by nobody{since}"
    reason = f", {slot.invalidation_reason}" if slot.invalidation_reason else ""
    yield f"slot {slot.name}: {slot.wal_status}{reason}, {read}"
    yield (
        f"  WAL held back {megabytes(slot.retained_bytes)} from {slot.restart_lsn}, not confirmed "
        f"{megabytes(slot.unconfirmed_bytes)} from {slot.confirmed_flush_lsn}"
    )
    if slot.limit_bytes is not None:
        yield (
            f"  given up at {megabytes(slot.limit_bytes)} (max_slot_wal_keep_size), which is "
            f"{megabytes(slot.safe_bytes)} away"
        )


def megabytes(number: int | None) -> str:
    """Return a number of bytes in words."""
    return "nothing" if number is None else f"{number / MEGABYTE:,.1f} MB"
