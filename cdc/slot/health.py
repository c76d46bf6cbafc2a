"""What is wrong between the replication slot and the connector that reads it."""

from dataclasses import dataclass
from enum import StrEnum

from cdc.connector import ConnectorStatus, Position
from cdc.slot import Slot, lsn_number


class SlotProblem(StrEnum):
    """What only a recovery mends, as rows may have been committed that will never be delivered."""

    MISSING = "missing"
    LOST = "lost"
    OF_ANOTHER_KIND = "of another kind"
    AHEAD = "ahead"
    NO_POSITION = "no position"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong."""

    ailment: SlotProblem | None  # what sort of trouble; None when slot and connector fit together
    told: str  # a sentence about it, without a full stop


def diagnose(
    name: str, slot: Slot | None, state: ConnectorStatus, position: Position | None
) -> Diagnosis:
    """Return what is wrong with a slot.

    Args:
        slot: The slot; None when there is none.
        position: How far the connector has come; None when Connect stores nothing of it.
    """
    if slot is None and position is None:
        return Diagnosis(None, "the connector has not begun yet, and makes its slot when it does")
    if slot is None:
        return Diagnosis(
            SlotProblem.MISSING,
            f"the replication slot {name} of the connector does not exist any more",
        )
    if ailing := _ailing_by_itself(name, slot):
        return ailing
    # who reads the slot moves it, and has stored a position before
    if not slot.active:
        confirmed = lsn_number(slot.confirmed_flush_lsn or "0/0")
        if position is None and state.connector in {"STOPPED", "PAUSED"}:
            return Diagnosis(
                SlotProblem.NO_POSITION,
                f"the connector is {state.connector} and has no stored position, so that nobody knows whether the slot "
                f"{name} was there all the time",
            )
        if position is not None and confirmed > position.lsn:
            return Diagnosis(
                SlotProblem.AHEAD,
                f"the slot {name} is {confirmed - position.lsn} bytes of WAL ahead of the connector: it was moved, or "
                "dropped and made anew",
            )
    return Diagnosis(None, f"the slot {name} and the connector fit together")


def _ailing_by_itself(name: str, slot: Slot) -> Diagnosis | None:
    if slot.is_lost:
        reason = slot.invalidation_reason or slot.wal_status
        return Diagnosis(SlotProblem.LOST, f"Postgres has given up the slot {name} ({reason})")
    if not slot.is_readable:
        kind = f"for the plugin {slot.plugin}" if slot.plugin else "physical"
        where = "" if slot.is_here or not slot.plugin else ", of another database"
        return Diagnosis(
            SlotProblem.OF_ANOTHER_KIND,
            f"the slot {name} is {kind}{where}, and the connector cannot read it: somebody has made it anew",
        )
    return None
