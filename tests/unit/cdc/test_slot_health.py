"""What is taken for a slot that only a recovery mends, and what is not."""

import dataclasses

import pytest

from cdc.connector import ConnectorStatus, Position
from cdc.slot import Slot, lsn_number
from cdc.slot.health import Ailment, diagnose

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
BEHIND, LEVEL = Position(0x1FF, None), Position(0x200, None)


@pytest.mark.parametrize(
    ("slot", "state", "position", "ailment"),
    [
        (SLOT, RUNNING, LEVEL, None),
        (SLOT, STOPPED, LEVEL, None),
        (SLOT, STOPPED, BEHIND, Ailment.AHEAD),
        (SLOT, FAILED, BEHIND, Ailment.AHEAD),
        # between two attempts of a task that fails, Connect still says that it runs
        (SLOT, RUNNING, BEHIND, Ailment.AHEAD),
        # who reads the slot moves it while we look
        (dataclasses.replace(SLOT, active=True), RUNNING, BEHIND, None),
        (None, RUNNING, LEVEL, Ailment.MISSING),
        (None, ABSENT, None, None),
        (None, RUNNING, None, None),
        (SLOT, RUNNING, None, None),
        (SLOT, STOPPED, None, Ailment.NO_POSITION),
        (dataclasses.replace(SLOT, wal_status="lost"), RUNNING, LEVEL, Ailment.LOST),
        (
            dataclasses.replace(SLOT, invalidation_reason="idle_timeout"),
            FAILED,
            LEVEL,
            Ailment.LOST,
        ),
        (dataclasses.replace(SLOT, plugin="wal2json"), FAILED, LEVEL, Ailment.OF_ANOTHER_KIND),
        (dataclasses.replace(SLOT, is_here=False), FAILED, LEVEL, Ailment.OF_ANOTHER_KIND),
        (
            dataclasses.replace(SLOT, plugin=None, is_here=False),
            FAILED,
            None,
            Ailment.OF_ANOTHER_KIND,
        ),
    ],
)
def test_ailments(
    slot: Slot | None, state: ConnectorStatus, position: Position | None, ailment: Ailment | None
) -> None:
    found = diagnose("s", slot, state, position)
    assert found.ailment == ailment
    assert found.told


def test_an_lsn_is_a_number_of_bytes() -> None:
    assert lsn_number("0/1A2B3C4") == 0x1A2B3C4
    assert lsn_number("2/10") == 2 * 2**32 + 16
