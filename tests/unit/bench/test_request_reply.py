"""Ratios of the benchmark `request-reply`."""

from tests.bench.outcome import Run
from tests.bench.request_reply import KAFKA, OVER_GRPC, OVER_HTTP, ratios


def test_ratios_are_in_units_of_http() -> None:
    runs = [
        Run(contender=name, kind=kind, round=1, events=1, figures={figure: value})
        for name, value in {KAFKA: 4.0, OVER_GRPC: 1.0, OVER_HTTP: 2.0}.items()
        for kind, figure in (("steady", "p50_ms"), ("saturated", "per_s"))
    ]
    assert ratios(runs) == {
        "steady_p50_ms_kafka_vs_http": 2.0,
        "steady_p50_ms_grpc_vs_http": 0.5,
        "saturated_per_s_kafka_vs_http": 2.0,
        "saturated_per_s_grpc_vs_http": 0.5,
    }
