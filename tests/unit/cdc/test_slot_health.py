"""What is taken for a slot that only a recovery mends, and what is not."""

import dataclasses

import pytest

from cdc.connector import ConnectorStatus, Position
from cdc.slot import Slot, lsn_number
from cdc.slot.health import SlotProblem, diagnose

SLOT = Slot(
    name="s",
    active=False,
    active_pid=None,
    wal_status="reserved",
    invalidation_reason=None,
    restart_lsn="0/100",
    confirmed_flush_lsn="0/200",
    retained_bytes=1,
    unconfirmed_bytes=1,
    safe_bytes=None,
    limit_bytes=None,
    inactive_since=None,
    failover=True,
    plugin="pgoutput",
    is_here=True,
)
RUNNING = ConnectorStatus("RUNNING", "RUNNING")
STOPPED = ConnectorStatus("STOPPED", "ABSENT")
FAILED = ConnectorStatus("RUNNING", "FAILED")
ABSENT = ConnectorStatus("ABSENT", "ABSENT")
BLOCKED_BY_EARLIER, LEVEL = Position(0x1FF, None), Position(0x200, None)


@pytest.mark.parametrize(
    ("slot", "state", "position", "ailment"),
    [
        (SLOT, RUNNING, LEVEL, None),
        (SLOT, STOPPED, LEVEL, None),
        (SLOT, STOPPED, BLOCKED_BY_EARLIER, SlotProblem.AHEAD),
        (SLOT, FAILED, BLOCKED_BY_EARLIER, SlotProblem.AHEAD),
        # between two attempts of a task that fails, Connect still says that it runs
        (SLOT, RUNNING, BLOCKED_BY_EARLIER, SlotProblem.AHEAD),
        # who reads the slot moves it while we look
        (dataclasses.replace(SLOT, active=True), RUNNING, BLOCKED_BY_EARLIER, None),
        (None, RUNNING, LEVEL, SlotProblem.MISSING),
        (None, ABSENT, None, None),
        (None, RUNNING, None, None),
        (SLOT, RUNNING, None, None),
        (SLOT, STOPPED, None, SlotProblem.NO_POSITION),
        (dataclasses.replace(SLOT, wal_status="lost"), RUNNING, LEVEL, SlotProblem.LOST),
        (
            dataclasses.replace(SLOT, invalidation_reason="idle_timeout"),
            FAILED,
            LEVEL,
            SlotProblem.LOST,
        ),
        (dataclasses.replace(SLOT, plugin="wal2json"), FAILED, LEVEL, SlotProblem.OF_ANOTHER_KIND),
        (dataclasses.replace(SLOT, is_here=False), FAILED, LEVEL, SlotProblem.OF_ANOTHER_KIND),
        (
            dataclasses.replace(SLOT, plugin=None, is_here=False),
            FAILED,
            None,
            SlotProblem.OF_ANOTHER_KIND,
        ),
    ],
)
def test_ailments(
    slot: Slot | None,
    state: ConnectorStatus,
    position: Position | None,
    ailment: SlotProblem | None,
) -> None:
    found = diagnose("s", slot, state, position)
    assert found.ailment == ailment
    assert found.told


def test_an_lsn_is_a_number_of_bytes() -> None:
    assert lsn_number("0/1A2B3C4") == 0x1A2B3C4
    assert lsn_number("2/10") == 2 * 2**32 + 16
