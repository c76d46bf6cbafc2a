"""What is held to of benchmarks: what is worse is found, what is better or within the tolerance is not."""

from pathlib import Path

import click
import pytest

from tests.bench import guard
from tests.bench.__main__ import BENCHMARKS
from tests.bench.guard import GUARDS, RECORDED, record, recorded, worse
from tests.bench.outcome import Outcome

BEFORE = {
    "orders_vs_handwritten 8 clients": 0.5,
    "orders_vs_handwritten 64 clients": 1.0,
    "cpu_vs_handwritten 64 clients": 2.0,
    "p50_vs_handwritten 20/s": 1.0,
}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"orders_vs_handwritten 8 clients": 0.43}, []),
        ({"orders_vs_handwritten 8 clients": 5.0, "p50_vs_handwritten 20/s": 0.1}, []),
        (
            {"orders_vs_handwritten 8 clients": 0.42},
            ["e2e: orders_vs_handwritten 8 clients is 0.42, and was 0.50"],
        ),
        (
            {"cpu_vs_handwritten 64 clients": 2.31, "p50_vs_handwritten 20/s": 1.2},
            [
                "e2e: cpu_vs_handwritten 64 clients is 2.31, and was 2.00",
                "e2e: p50_vs_handwritten 20/s is 1.20, and was 1.00",
            ],
        ),
    ],
)
def test_what_is_worse_by_more_than_is_tolerated_is_found(
    changed: dict[str, float], found: list[str]
) -> None:
    assert list(worse("e2e", BEFORE | changed, BEFORE)) == found


def test_what_is_not_known_is_no_success() -> None:
    assert len(list(worse("e2e", {}, BEFORE))) == len(BEFORE)
    assert list(worse("replay", {"sandbox_vs_live_worker": 1.0}, {})) == [
        "replay: sandbox_vs_live_worker is not recorded"
    ]


def test_what_is_recorded_takes_the_place_of_what_was(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    for value in (1.0, 2.0):
        record(Outcome("replay", {}, {"sandbox_vs_live_worker": value, "another": 1.0}, []), path)
    record(Outcome("e2e", {}, BEFORE, []), path)
    kept = {name: each["ratios"] for name, each in recorded(path).items()}
    assert kept == {"e2e": BEFORE, "replay": {"sandbox_vs_live_worker": 2.0}}


def test_every_guarded_ratio_is_recorded() -> None:
    kept = recorded(RECORDED)
    assert GUARDS.keys() <= BENCHMARKS.keys()
    assert {name: set(each["ratios"]) for name, each in kept.items()} == {
        name: set(each.ratios) for name, each in GUARDS.items()
    }


@pytest.mark.parametrize("name", GUARDS)
def test_short_forms_are_options_of_the_benchmark(name: str) -> None:
    with click.Context(guard.guard) as context:
        options = guard._options(context, GUARDS[name].options)
    for option, value in GUARDS[name].options.items():
        assert getattr(options, option) == value
