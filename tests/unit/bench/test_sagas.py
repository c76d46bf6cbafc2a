"""What the benchmark `sagas` reads out of the server's log, and the ratios that it comes to."""

import threading
from pathlib import Path

import pytest

from tests.bench.outcome import Run
from tests.bench.sagas.run import ratios
from tests.bench.statements import SAID, written

PLACE = b"2026-11-28 17:40:00.123 UTC [4711] "


@pytest.mark.parametrize(
    ("line", "role"),
    [
        (PLACE + b"payments@tailrace LOG:  statement: COMMIT\n", b"payments"),
        (PLACE + b"orders@tailrace LOG:  execute _pg3_0: select 1\n", b"orders"),
        (PLACE + b"orders@tailrace LOG:  execute <unnamed>: COMMIT\n", b"orders"),
    ],
)
def test_a_statement_is_counted_for_its_role(line: bytes, role: bytes) -> None:
    found = SAID.match(line)
    assert found is not None
    assert found[1] == role


@pytest.mark.parametrize(
    "line",
    [
        PLACE + b"orders@tailrace ERROR:  deadlock detected\n",
        PLACE + b"LOG:  checkpoint starting: time\n",
        b"from customer_order\n",
    ],
)
def test_nothing_else_is_counted(line: bytes) -> None:
    assert SAID.match(line) is None


def test_no_line_is_missed_when_the_log_is_put_aside(tmp_path: Path) -> None:
    log, over = tmp_path / "postgres.log", threading.Event()
    log.write_bytes(b"before\nfirst\n")
    lines = written(log, len(b"before\n"), over)
    assert next(lines) == b"first\n"
    with log.open("ab") as file:
        file.write(b"second\n")
    log.rename(tmp_path / "postgres.log.1")
    log.write_bytes(b"third\n")
    over.set()
    assert list(lines) == [b"second\n", b"third\n"]


def test_ratios_are_those_of_the_medians() -> None:
    rates = {"choreography": (100.0, 300.0, 200.0), "orchestration": (150.0,), "dbos": (30.0,)}
    runs = [
        Run(contender=name, kind="backlog", round=number, events=9, figures={"per_s": per_s})
        for name, found in rates.items()
        for number, per_s in enumerate(found, 1)
    ]
    cost = {"commits_per_order": 2.0, "commits_per_reply": 0.04}
    runs.append(Run(contender="orchestration", kind="cost", round=1, events=9, figures=cost))
    assert ratios(runs) == {
        "orchestration_vs_choreography": 0.75,
        "orchestration_vs_dbos": 5.0,
        "choreography_vs_dbos": pytest.approx(6.667, abs=0.001),
        "commits_per_reply": 0.04,
    }
