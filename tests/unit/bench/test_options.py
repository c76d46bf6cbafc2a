"""Asking for a benchmark: names, options, and what is said when they make no sense."""

from dataclasses import fields

import pytest
from click.testing import CliRunner

from schemas.messages.orders import Fulfilment
from tests.bench import __main__ as command
from tests.bench.options import Options, names_of
from tests.bench.outcome import Outcome
from tests.bench.progress import Progress

KNOWN = ("consumer", "producer")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What a benchmark that measures nothing is asked for."""
    seen: list[Options] = []

    def measure(options: Options, _: Progress) -> Outcome:
        seen.append(options)
        return Outcome("consumer", {}, {}, [])

    monkeypatch.setattr(command, "BENCHMARKS", dict.fromkeys(KNOWN, measure))
    monkeypatch.setattr(Outcome, "save", lambda outcome: f"{outcome.name}.json")
    return seen


def test_names_come_once_each_and_in_their_order() -> None:
    assert names_of("producer, consumer,,producer", KNOWN, "benchmark") == ["producer", "consumer"]


@pytest.mark.parametrize(("text", "said"), [("consumer,nope", "'nope'"), (" ,", "no benchmark")])
def test_a_wrong_name_is_answered_with_the_right_ones(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"{said}.*choose from: consumer, producer"):
        names_of(text, KNOWN, "benchmark")


def test_several_benchmarks_are_measured_one_after_the_other(asked: list[Options]) -> None:
    result = CliRunner().invoke(command.bench, ["consumer,producer", "--rounds", "2"])
    assert result.exit_code == 0, result.output
    assert [options.rounds for options in asked] == [2, 2]


def test_every_option_has_a_variable(asked: list[Options]) -> None:
    variables = {f"BENCH_{field.name.upper()}": "7" for field in fields(Options)}
    named = {
        "BENCH_ONLY": "ours,plain_agent",
        "BENCH_PUBLISHER": "relay",
        "BENCH_PARTS": "relay",
        "BENCH_FORM": "orchestration",
    }
    result = CliRunner().invoke(command.bench, ["consumer"], env=variables | named)
    assert result.exit_code == 0, result.output
    assert asked == [
        Options(
            rounds=7,
            events=7,
            plain_events=7,
            backlog=7,
            aggregates=7,
            latency_per_s=7.0,
            latency_s=7.0,
            warm_up_s=7.0,
            only=frozenset({"ours", "plain_agent"}),
            inbox_rows=7,
            transactions=7,
            times=7,
            parts=["relay"],
            orders_per_s=7.0,
            seed=7,
            orders=7,
            pages=7,
            format_ms=7.0,
            publisher="relay",
            form=Fulfilment.ORCHESTRATION,
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no benchmark is named; choose from: consumer, producer"),
        (["nope"], "there is no benchmark 'nope'; choose from: consumer, producer"),
        (["consumer", "--only", "nope"], "there is no contender 'nope'"),
        (["consumer", "--rounds", "0"], "--rounds"),
    ],
)
def test_wrong_usage_is_a_sentence_and_status_2(
    asked: list[Options], arguments: list[str], said: str
) -> None:
    result = CliRunner().invoke(command.bench, arguments)
    assert (result.exit_code, asked) == (2, [])
    assert said in result.stderr
