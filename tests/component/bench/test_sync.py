"""What the benchmark `sync` measures is what it says: layers that are gone, and work that is done in vain."""

import asyncio
from collections.abc import Mapping

import httpx2
import pytest

from producers.rest.deadlines import Deadlines
from producers.rest.shedding import Shedding
from producers.rest.timeout_headers import TIMEOUT
from tests.bench.errors import BenchError
from tests.bench.outcome import Run
from tests.bench.sync import chain, layers
from tests.bench.sync.run import LAYERS, SLOW_HOP, ratios
from tests.hops import app_of, asked, hop, served


def test_a_layer_that_is_taken_off_is_gone_and_one_that_is_not_there_is_an_error() -> None:
    app = layers.without(app_of(), Deadlines, Shedding)
    assert not {Deadlines, Shedding} & {each.cls for each in app.user_middleware}
    with pytest.raises(BenchError, match="cannot do without"):
        layers.without(app, Deadlines)


def test_without_its_layer_a_deadline_is_not_kept() -> None:
    async def scenario() -> tuple[httpx2.Response, httpx2.Response]:
        async def work() -> None:
            await asyncio.sleep(0.2)

        async with (
            served(hop(work)) as kept,
            served(layers.without(hop(work), Deadlines)) as not_kept,
        ):
            hurried = {TIMEOUT: "50"}
            return (
                await asked(f"{kept}/work", headers=hurried),
                await asked(f"{not_kept}/work", headers=hurried),
            )

    kept, not_kept = asyncio.run(scenario())
    assert (kept.status_code, not_kept.status_code) == (504, 200)


def found(guards: chain.Guards, *, slow_s: float) -> Mapping[str, float]:
    trouble = chain.Trouble(slow_s=slow_s, patience_s=0.3, per_s=20)
    return asyncio.run(chain.measured(guards, trouble, seconds=0.3))


def test_without_a_deadline_the_last_hop_works_to_the_end_for_clients_who_are_gone() -> None:
    figures = found(chain.GUARDS["neither"], slow_s=1.0)
    assert figures["calls_in_vain"] == 1
    assert figures["s_in_vain"] >= 1
    assert figures["p50_ms"] >= 300


def test_with_one_it_stops_with_them() -> None:
    figures = found(chain.GUARDS["deadline"], slow_s=60.0)
    assert figures["calls_in_vain"] <= 1
    assert figures["s_in_vain"] < 30


def test_what_a_layer_adds_is_told_of_each_turn_and_not_of_the_whole() -> None:
    bare = [layers.Took(ms=ms, cpu_ms=1.0) for ms in (2.0, 9.0, 3.0)]  # one turn was disturbed
    calls = [layers.Took(ms=each.ms + 0.5, cpu_ms=1.25) for each in bare]
    assert layers.figures_of(calls, bare) == {
        "p50_ms": 3.5,
        "cpu_ms": 1.25,
        "added_ms": 0.5,
        "added_cpu_ms": 0.25,
    }


def test_ratios_are_to_the_aim_and_to_having_no_guard() -> None:
    added = {"bare": 0.0, "deadline": 0.03, "calling": 0.06, "key": 0.24, "all": 0.3}
    runs = [
        _run(name, LAYERS, {"added_ms": ms, "added_cpu_ms": ms / 2}) for name, ms in added.items()
    ]
    runs += [
        _run(name, SLOW_HOP, {"s_in_vain": seconds})
        for name, seconds in {"neither": 2.0, "deadline": 0.5, "deadline_breaker": 0.1}.items()
    ]
    assert ratios(runs) == {
        "deadline_vs_aim": pytest.approx(0.1),
        "deadline_cpu_vs_aim": pytest.approx(0.05),
        "calling_vs_aim": pytest.approx(0.2),
        "calling_cpu_vs_aim": pytest.approx(0.1),
        "key_vs_aim": pytest.approx(0.8),
        "key_cpu_vs_aim": pytest.approx(0.4),
        "all_vs_aim": pytest.approx(1.0),
        "all_cpu_vs_aim": pytest.approx(0.5),
        "deadline_s_in_vain_vs_neither": 0.25,
        "deadline_breaker_s_in_vain_vs_neither": 0.05,
    }


def _run(contender: str, kind: str, figures: Mapping[str, float]) -> Run:
    return Run(contender=contender, kind=kind, round=1, events=1, figures=figures)
