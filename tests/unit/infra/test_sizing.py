"""How large an installation has to be: the arithmetic, and what the command makes of it."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.cli import cli
from infra.sizing.plan import Load, Plan, plan
from infra.sizing.rates import Rate, Rates, measured


def rate(per_s: float) -> Rate:
    return Rate(per_s=per_s, unit="/s", what="a part", command="none")


RATES = Rates(
    machine="a machine of a test",
    cores=2,
    parts={
        "connector": rate(1000),
        "decoding": rate(1600),
        "relay": rate(2000),
        "worker": rate(4000),
        "partition": rate(500),
        "broker": rate(3_000_000),
    },
    bytes={"outbox_row": 800, "inbox_row": 100, "record": 300},
)
LOAD = Load(events_per_s=2000, event_bytes=200, share=0.5, average=1.0)


def counts(found: Plan) -> dict[str, int]:
    return {each.what: each.count for each in found.needs}


def test_each_part_is_planned_with_a_share_of_what_it_carries() -> None:
    found = plan(LOAD, RATES)
    assert counts(found) == {
        "captures": 3,  # of 800/s each
        "shards of all captures": 4,  # of 500/s each
        "workers of each consumer": 1,  # of 2,000/s
        "partitions of a topic": 8,  # of 250/s
        "brokers": 3,  # of 1,000/s; two would do, and cannot hold three copies
    }
    assert found.first_limit == "partitions of a topic"
    assert (
        found.cores == 12
    )  # 2 ms of two processors for publishing, half a millisecond for each of two effects


def test_a_relay_has_a_database_for_itself() -> None:
    found = counts(plan(replace(LOAD, publisher="relay"), RATES))
    assert found["captures"] == 2  # of 1,000/s each
    assert "shards of all captures" not in found


def test_disk_follows_from_what_is_kept() -> None:
    found = plan(LOAD, RATES)
    a_day = 2000 * 86_400
    assert found.postgres_gb_per_day == -(-a_day * 1000 // 10**9)
    assert found.kafka_gb == -(-a_day * 7 * 500 * 3 // 10**9)
    assert found.inbox_gb == -(-a_day * 15 * 2 * 100 // 10**9)
    assert plan(replace(LOAD, average=0.5), RATES).kafka_gb == -(-found.kafka_gb // 2)


def test_every_worker_of_a_consumer_has_a_partition() -> None:
    many = plan(
        replace(LOAD, events_per_s=200_000),
        replace(RATES, parts={**RATES.parts, "partition": rate(1e9)}),
    )
    assert counts(many)["partitions of a topic"] == counts(many)["workers of each consumer"] == 100


@given(st.floats(0.001, 1e7), st.floats(1, 10), st.integers(1, 50))
def test_more_never_needs_less(events_per_s: float, times: float, consumers: int) -> None:
    few = plan(replace(LOAD, events_per_s=events_per_s), RATES)
    more = plan(
        replace(LOAD, events_per_s=events_per_s * times, consumers=LOAD.consumers + consumers),
        RATES,
    )
    assert all(counts(few)[what] <= count for what, count in counts(more).items())
    assert few.cores <= more.cores
    assert few.inbox_gb <= more.inbox_gb


def test_every_rate_was_measured() -> None:
    rates = measured()
    assert all(each.per_s > 0 and each.command for each in rates.parts.values())
    assert all(size > 0 for size in rates.bytes.values())


def test_the_command_says_what_is_needed_and_what_is_too_small_first() -> None:
    told = CliRunner().invoke(cli, ["size", "--events-per-s", "200000"])
    assert told.exit_code == 0, told.output
    assert "With one of each, the first to be too small: " in told.output
    given_as_json = CliRunner().invoke(cli, ["size", "--events-per-s", "200000", "--json"])
    found = json.loads(given_as_json.output)
    assert {each["what"] for each in found["needs"]} == set(counts(plan(LOAD, RATES)))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--events-per-s", "0"],
        ["--events-per-s", "-1"],
        ["--events-per-s", "1e3"],
        ["--events-per-s", "10", "--share", "0"],
        ["--events-per-s", "10", "--consumers", "0"],
        ["--events-per-s", "10", "--event-bytes", "2000000"],
        ["--events-per-s", "10", "--publisher", "somebody"],
    ],
)
def test_a_load_that_cannot_be_is_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["size", *arguments]).exit_code == 2
