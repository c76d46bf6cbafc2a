"""The plan of a run of faults: repeatable, fair to all parts, and of every kind."""

from collections import Counter

from tests.faults.plan import (
    BACKEND,
    OF_A_NETWORK,
    PRIMARY,
    SLOT,
    STANDBY,
    Kind,
    after,
    at_risk,
    plan,
    with_network,
)

PARTS = at_risk("cdc")
CLUSTER = at_risk("cdc", "cluster")


def test_a_seed_repeats_its_faults_and_another_one_has_others() -> None:
    assert plan(7, 50, PARTS) == plan(7, 50, PARTS)
    assert plan(7, 50, PARTS) != plan(8, 50, PARTS)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    shorter = plan(7, 20, PARTS)
    assert plan(7, 60, PARTS)[: len(shorter) - 1] == shorter[:-1]


def test_all_faults_are_planned_and_each_part_has_its_turn() -> None:
    steps = plan(3, 200, PARTS)
    faults = [fault for step in steps for fault in step.faults]
    turns = Counter(fault.target for fault in faults)
    assert len(faults) == 200
    assert set(turns) == set(PARTS)
    assert max(turns.values()) - min(turns.values()) <= 2
    assert {fault.kind for fault in faults} == {Kind.KILL, Kind.FREEZE, Kind.RESTART}


def test_two_at_once_are_two_parts_within_a_second() -> None:
    pairs = [step.faults for step in plan(3, 200, PARTS) if len(step.faults) == 2]
    assert pairs
    assert all(first.target != second.target for first, second in pairs)
    assert all(0 <= second.delay_s <= 1 for _, second in pairs)


def test_a_backend_of_postgres_is_never_restarted_in_good_order() -> None:
    faults = [fault for step in plan(5, 300, {BACKEND: PARTS[BACKEND]}) for fault in step.faults]
    assert {fault.kind for fault in faults} == {Kind.KILL, Kind.FREEZE}


def test_only_the_parts_that_are_there_are_hit() -> None:
    assert "relay" not in PARTS
    assert "connect" not in at_risk("relay")


def test_what_a_cluster_has_several_of_is_lost_for_good() -> None:
    faults = [fault for step in plan(3, 600, CLUSTER) for fault in step.faults]
    turns = Counter(fault.target for fault in faults)
    assert max(turns.values()) - min(turns.values()) <= 2
    assert {fault.kind for fault in faults} == set(Kind) - set(OF_A_NETWORK)
    lost = {fault.target for fault in faults if fault.kind in {Kind.LOSE, Kind.WIPE}}
    assert lost == {
        *("kafka-1", "kafka-2", "kafka-3", "connect-1", "connect-2", "workers", "workers-2"),
        *("registry", PRIMARY, STANDBY),
    }
    assert {fault.kind for fault in faults if fault.target == SLOT} == {Kind.DROP}
    filled = {fault.target for fault in faults if fault.kind is Kind.FILL}
    assert filled == {"kafka-1", "kafka-2", "kafka-3", PRIMARY, STANDBY}


def test_whatever_listens_may_be_cut_off_from_others() -> None:
    faults = [fault for step in plan(3, 900, with_network(CLUSTER)) for fault in step.faults]
    disturbed = [fault for fault in faults if fault.kind in OF_A_NETWORK]
    assert {fault.target for fault in disturbed} == CLUSTER.keys() - {
        BACKEND,
        SLOT,
        "retention",
        "standby-watch",
    }
    assert min(fault.hold_s for fault in disturbed) > 0


def test_nothing_is_lost_for_good_within_a_second_of_another_fault() -> None:
    pairs = [step.faults for step in plan(3, 600, CLUSTER) if len(step.faults) == 2]
    assert pairs
    assert {fault.kind for pair in pairs for fault in pair} == {Kind.KILL, Kind.FREEZE}


def test_consumers_that_share_a_process_are_one_victim() -> None:
    assert "payments-worker" in PARTS
    assert CLUSTER.keys() & {"payments-worker", "postgres", "postgres-2"} == set()
    assert {"relay", "relay-2"} <= at_risk("relay", "cluster").keys()
    assert SLOT not in at_risk("relay", "cluster")


def test_a_run_goes_on_where_another_one_ended() -> None:
    steps = plan(7, 60, PARTS)
    done = sum(len(step.faults) for step in steps[:20])
    assert after(steps, done) == steps[20:]
    assert after(steps, 0) == steps
    assert after(steps, 60) == []
