"""The benchmark `scale`: what more workers bring, and what it costs that each record is kept by three brokers."""

from collections.abc import Iterator, Mapping, Sequence

from infra.local.parts import KAFKA_OF_A_CLUSTER, STANDBY_WATCH
from infra.shapes import Shape
from tests.bench.curves import CURVES, measured
from tests.bench.figures import ratio
from tests.bench.ledger import open_ledger
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack

NAME = "scale"
BROKERS: Mapping[Shape, tuple[str, ...]] = {
    "single": ("kafka",),
    # the standby is not needed, and is waited for until the watch has seen that it is gone
    "cluster": (*KAFKA_OF_A_CLUSTER, STANDBY_WATCH.name),
}
CONTENDERS: Mapping[Shape, str] = {"single": "1 broker", "cluster": "3 brokers"}
POINTS = CURVES["workers"]


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of each kind, one after the other.

    Raises:
        BenchError: a measurement failed.
    """
    here = machine()
    runs = [run for shape in BROKERS for run in _runs(shape, options, progress)]
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the rate with more workers in units of that with one, and with three brokers in units of that with one."""
    return {name: value for name, value in _ratios(runs) if value is not None}


def _ratios(runs: Sequence[Run]) -> Iterator[tuple[str, float | None]]:
    one, several = CONTENDERS.values()
    kinds = [_kind(point.workers) for point in POINTS]
    rates = {kind: medians(runs, kind, "per_s") for kind in kinds}
    for brokers in CONTENDERS.values():
        for kind in kinds[1:]:
            yield (
                f"{kind}, {brokers}",
                ratio(rates[kind].get(brokers), rates[kinds[0]].get(brokers)),
            )
    for kind in kinds:
        yield f"{several}, {kind}", ratio(rates[kind].get(several), rates[kind].get(one))
    written = medians(runs, kinds[0], "written_per_s")
    yield f"{several}, written", ratio(written.get(several), written.get(one))


def _runs(shape: Shape, options: Options, progress: Progress) -> Iterator[Run]:
    with (
        own_stack("postgres", "registry", *BROKERS[shape], profile=shape) as stack,
        open_ledger(stack) as ledger,
    ):
        for number in range(1, options.rounds + 1):
            for point in POINTS:
                kind = _kind(point.workers)
                with progress.step(f"round {number}: {CONTENDERS[shape]}, {kind}"):
                    name = f"bench.scale.{point.workers}.{number}"
                    found = measured(stack, ledger, point, name, progress)
                progress.found(summary(found))
                yield Run(
                    contender=CONTENDERS[shape],
                    kind=kind,
                    round=number,
                    events=point.events,
                    figures=found,
                )


def _kind(workers: int) -> str:
    return f"{workers} workers" if workers > 1 else "1 worker"
