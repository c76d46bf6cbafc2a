import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infra.settings import REPOSITORY
from tests.side_by_side import Turns, own_ports, rank, stacks_that_fit, unit_of


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        ("tests/unit/cdc/test_ids.py::test_one[relay]", "tests/unit/cdc/test_ids.py"),
        ("tests/e2e/test_demo.py::test_one[cdc-kafka]", "tests/e2e/test_demo.py"),
        ("tests/e2e/test_demo.py::test_one[relay]", "on the relay"),
        ("tests/e2e/test_relay.py::test_one[relay-show]", "on the relay"),
        ("tests/integration/test_flow.py::test_one", "apart"),
        ("tests/integration/test_replay.py::test_one", "tests/integration/test_replay.py"),
        ("tests/chaos/test_log_moves.py::test_one[more]", "tests/chaos/test_log_moves.py"),
        (
            "tests/chaos/test_commit_order.py::test_one[relay]",
            "tests/chaos/test_commit_order.py::test_one[relay]",
        ),
    ],
)
def test_what_stays_together(test: str, unit: str) -> None:
    assert unit_of(test) == unit


def test_faults_that_others_are_kept_from_come_last_and_stacks_change_seldom() -> None:
    tests = [
        ("tests/chaos/test_cluster.py::test_one", True),
        ("tests/chaos/test_cluster.py::test_other", False),
        ("tests/chaos/test_faults.py::test_one", True),
        ("tests/chaos/test_old.py::test_one", True),
        ("tests/chaos/test_poison.py::test_one", False),
        ("tests/integration/test_flow.py::test_one", False),
        ("tests/integration/test_lists.py::test_one", True),
        ("tests/integration/test_users.py::test_one", False),
    ]
    chaos = sorted(tests[:5], key=lambda test: rank(test[0], alone=test[1]))
    assert [tests.index(test) for test in chaos] == [4, 2, 3, 1, 0]
    integration = sorted(tests[5:], key=lambda test: rank(test[0], alone=test[1]))
    assert [tests.index(test) for test in integration] == [6, 5, 7]


@pytest.mark.parametrize(
    ("cores", "available_mb", "stacks"),
    [(2, 16_000, 2), (2, 3_000, 1), (8, 7_000, 3), (1, 500, 1), (64, 256_000, 8)],
)
def test_as_many_stacks_run_as_cores_and_memory_bear(
    cores: int, available_mb: int, stacks: int
) -> None:
    assert stacks_that_fit(cores, available_mb) == stacks


def test_processes_have_ports_of_their_own() -> None:
    ours = own_ports()
    command = (
        "from tests.side_by_side import own_ports; print(own_ports().start, flush=True); input()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", command],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        taken = [int(process.stdout.readline()) for process in started if process.stdout]
    finally:
        for process in started:
            process.communicate("\n")
    assert len({ours.start, *taken}) == 4
    assert own_ports() == ours


def test_one_who_is_to_be_alone_waits_and_is_waited_for(tmp_path: Path) -> None:
    turns, order = Turns(tmp_path), list[str]()
    waits, begun = threading.Event(), threading.Event()

    def alone() -> None:
        waits.set()
        with turns.taken(alone=True):
            order.append("alone")

    def beside() -> None:
        with turns.taken(alone=False):
            begun.set()
            order.append("beside")

    with turns.taken(alone=False), turns.taken(alone=False):
        first = threading.Thread(target=alone)
        first.start()
        assert waits.wait(10)
        while turns.is_free():
            pass
        second = threading.Thread(target=beside)
        second.start()
        assert not begun.wait(0.1), "somebody has begun while one waits to be alone"
        order.append("both")
    first.join(10)
    second.join(10)
    assert order == ["both", "alone", "beside"]
