"""What is measured in which order, the ratios of it, and what is kept and shown."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from schemas.messages.orders import Fulfilment
from tests.bench import recovery, scale
from tests.bench.measurements import CONTENDERS, Measurement, ratios, schedule
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine
from tests.bench.report import show

RUNS = (
    *(("plain_agent", "rate", {"per_s": per_s}) for per_s in (100.0, 200.0, 9000.0)),
    *(("ours", "rate", {"per_s": per_s}) for per_s in (3000.0, 2000.0, 1.0)),
    ("handwritten", "rate", {"per_s": 4000.0}),
    ("plain_agent", "latency", {"p50_ms": 4.0, "p99_ms": 10.0}),
    ("ours", "latency", {"p50_ms": 5.0, "p99_ms": 12.0}),
)


def options(*, rounds: int = 1, backlog: int = 0, only: tuple[str, ...] = CONTENDERS) -> Options:
    return Options(
        rounds=rounds,
        events=1000,
        plain_events=100,
        backlog=backlog,
        aggregates=10,
        latency_per_s=20.0,
        latency_s=1.0,
        warm_up_s=1.0,
        only=frozenset(only),
        inbox_rows=1000,
        transactions=9,
        times=1,
        parts=[],
        orders_per_s=20.0,
        seed=0,
        orders=9,
        pages=9,
        format_ms=100.0,
        publisher="cdc",
        form=Fulfilment.CHOREOGRAPHY,
    )


def outcome(runs: tuple[tuple[str, str, dict[str, float]], ...] = RUNS) -> Outcome:
    taken = [
        Run(contender=contender, kind=kind, round=1, events=1000, figures=figures, load=0.5)
        for contender, kind, figures in runs
    ]
    return Outcome("consumer", machine(), ratios(taken), taken)


def test_contenders_alternate_and_each_round_begins_with_another() -> None:
    rates = [each for each in schedule(options(rounds=3)) if each.kind == "rate"]
    assert [each.round for each in rates] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert {each.contender for each in rates[::3]} == set(CONTENDERS)
    assert all(
        {each.contender for each in rates[at : at + 3]} == set(CONTENDERS) for at in (0, 3, 6)
    )


def test_no_two_measurements_share_a_group() -> None:
    planned = schedule(options(rounds=3, backlog=5000))
    assert len({each.group for each in planned}) == len(planned)


@pytest.mark.parametrize(
    ("backlog", "only", "measured"),
    [(5000, CONTENDERS, True), (1000, CONTENDERS, False), (5000, ("handwritten",), False)],
)
def test_a_backlog_is_measured_when_it_is_longer_than_the_events(
    backlog: int, only: tuple[str, ...], *, measured: bool
) -> None:
    planned = schedule(options(backlog=backlog, only=only))
    assert (Measurement("ours", "backlog", 1) in planned) is measured


def test_ratios_are_those_of_the_medians() -> None:
    assert outcome().ratios == {
        "vs_plain_agent": 10.0,
        "vs_handwritten": 0.5,
        "latency_vs_plain_agent": 1.25,
        "latency_p99_vs_plain_agent": 1.2,
    }


def test_a_ratio_of_which_a_side_is_missing_is_not_there() -> None:
    assert outcome(RUNS[:6]).ratios == {"vs_plain_agent": 10.0}
    assert outcome(RUNS[:3]).ratios == {}


def test_the_file_holds_machine_ratios_and_every_run(tmp_path: Path) -> None:
    path = outcome().save(tmp_path / ".bench")
    kept = json.loads(path.read_text())
    assert path.name == "consumer.json"
    assert list(kept) == ["name", "machine", "ratios", "runs"]
    assert set(kept["machine"]) == {"cpus", "memory_mb", "python", "platform", "load"}
    assert kept["ratios"]["vs_plain_agent"] == 10.0
    assert len(kept["runs"]) == len(RUNS)
    assert kept["runs"][0] == {
        "contender": "plain_agent",
        "kind": "rate",
        "round": 1,
        "events": 1000,
        "figures": {"per_s": 100.0},
        "load": 0.5,
    }


def test_the_tables_show_medians_and_ratios() -> None:
    printed = StringIO()
    show(outcome(), Console(width=200, file=printed))
    lines = printed.getvalue().splitlines()
    assert any("plain_agent" in line and "200" in line and "rate" in line for line in lines)
    assert any("vs_handwritten" in line and "0.50" in line for line in lines)


def test_recovery_is_told_in_units_of_the_aim_for_the_part() -> None:
    seconds = {("connect", "kill"): [4.0, 6.0, 12.0], ("connect", "freeze"): [5.0]}
    runs = [
        Run(contender=part, kind=kind, round=n, events=1, figures={"effects_s": value})
        for (part, kind), values in seconds.items()
        for n, value in enumerate(values, 1)
    ]
    assert recovery.ratios(runs, recovery.aim_s) == {
        "kill_connect_p50_vs_aim": 0.75,
        "kill_connect_max_vs_aim": 1.5,
        "freeze_connect_p50_vs_aim": 1.0,
        "freeze_connect_max_vs_aim": 1.0,
    }


def test_scale_is_told_in_units_of_one_worker_and_of_one_broker() -> None:
    per_s = {"1 broker": (100.0, 150.0, 160.0), "3 brokers": (80.0, 120.0, 128.0)}
    runs = [
        Run(
            contender=brokers,
            kind=kind,
            round=1,
            events=1,
            figures={"per_s": value, "written_per_s": value * 10},
        )
        for brokers, values in per_s.items()
        for kind, value in zip(("1 worker", "2 workers", "4 workers"), values, strict=True)
    ]
    assert scale.ratios(runs) == {
        "2 workers, 1 broker": 1.5,
        "4 workers, 1 broker": 1.6,
        "2 workers, 3 brokers": 1.5,
        "4 workers, 3 brokers": 1.6,
        "3 brokers, 1 worker": 0.8,
        "3 brokers, 2 workers": 0.8,
        "3 brokers, 4 workers": 0.8,
        "3 brokers, written": 0.8,
    }
