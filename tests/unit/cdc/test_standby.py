"""When commits wait for a standby, when they go on without it, and what tells that it may lack some of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdc.standby import Behind, Standby, SynchronisedSlot
from cdc.standby.watch import Step, step

AWAITED = Standby(
    is_streaming=True,
    is_waited_for=True,
    is_synchronous=True,
    flushed_lsn="0/200",
    written_lsn="0/300",
)
GONE = replace(AWAITED, is_streaming=False, is_synchronous=False, flushed_lsn="0/0")
COPY = SynchronisedSlot(
    synced=True,
    temporary=False,
    failover=True,
    invalidation_reason=None,
    restart_lsn="0/100",
    confirmed_flush_lsn="0/200",
)


@pytest.mark.parametrize(
    ("seen", "gone_s", "caught_up_with", "wanted"),
    [
        (AWAITED, 0.0, None, Step.NOTHING),
        (replace(AWAITED, is_waited_for=False), 0.0, None, Step.WAIT),
        (GONE, 3.0, None, Step.NOTHING),
        (GONE, 3.1, None, Step.WAIT_NO_MORE),
        (replace(GONE, is_waited_for=False), 3.1, None, Step.NOTHING),
        (AWAITED, 0.0, 0x201, Step.NOTHING),
        (AWAITED, 0.0, 0x200, Step.UNMARK),
        (replace(AWAITED, is_waited_for=False), 0.0, 0x200, Step.WAIT),
        (GONE, 0.0, 0x100, Step.NOTHING),
    ],
)
def test_what_is_done_about_a_standby(
    seen: Standby, gone_s: float, caught_up_with: int | None, wanted: Step
) -> None:
    assert step(seen, gone_s, 3.0, caught_up_with) is wanted


def test_how_far_it_is_behind() -> None:
    assert AWAITED.lag_bytes == 0x100
    assert replace(AWAITED, flushed_lsn="1/0").lag_bytes == 0


@pytest.mark.parametrize(
    ("copy", "trouble"),
    [
        (COPY, ""),
        (replace(COPY, synced=False), "is not that of the primary"),
        (replace(COPY, temporary=True), "is not copied yet"),
        (replace(COPY, failover=False), "is not marked for failover"),
        (replace(COPY, invalidation_reason="rows_removed"), "is given up (rows_removed)"),
    ],
)
def test_a_copy_of_the_slot_with_which_the_connector_could_go_on(
    copy: SynchronisedSlot, trouble: str
) -> None:
    assert copy.trouble.startswith(trouble)
    assert bool(copy.trouble) is bool(trouble)


def test_the_mark_keeps_its_first_moment_until_it_is_removed(tmp_path: Path) -> None:
    behind = Behind(tmp_path / "behind")
    assert not behind
    assert behind.since == ""
    behind.mark("noon")
    behind.mark("evening")
    assert behind
    assert behind.since == "noon"
    behind.remove()
    behind.remove()
    assert not behind
