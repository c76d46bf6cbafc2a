"""What a run of faults found, as a table, sentences and JSON."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.settings import Publisher
from infra.shapes import Shape
from tests.bench.figures import percentile
from tests.bench.outcome import machine
from tests.faults.load import unanswered, unavailable
from tests.faults.plan import Kind
from tests.faults.run import LIMIT_S, Recovery, Run, line

NAMED = 10
"""Findings named before the rest is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run, and what was asked for.

    Args:
        seed: Seed of the faults and of the orders.
        faults: How many faults were asked for.
        publisher: Who carried the outbox to Kafka.
        shape: What the stack was.
        rate: Orders per second.
        run: What was found.
        left_out: How many of the faults a run before had done.
        network: Whether packets were lost, too.
    """

    seed: int
    faults: int
    publisher: Publisher
    shape: Shape
    rate: float
    run: Run
    left_out: int = 0
    network: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, repeated or reordered, and nothing stood still for too long."""
        return self.run.verdict.ok and not self.run.standstills


def show(report: Report, console: Console) -> None:
    """Print a table of the recoveries, and what became of the orders."""
    console.print(_table(report.run.recoveries))
    for sentence in sentences(report):
        console.print(sentence, soft_wrap=True, markup=False)


def sentences(report: Report) -> Iterator[str]:
    """Yield what became of the orders, and everything that is wrong."""
    run, verdict = report.run, report.run.verdict
    sent = run.load.sent
    yield (
        f"{len(sent):,} orders were sent in {run.seconds:.0f} s: {len(run.account.statuses):,} placed, "
        f"{run.load.replayed:,} of them answered only when sent again, {unavailable(sent):,} given up as refused, "
        f"{unanswered(sent):,} unanswered; {run.load.sent_again:,} times one was sent again."
    )
    counts = faults_by_kind(run).items()
    done = ", ".join(f"{number} times {kind}" for kind, number in counts if number)
    yield (
        f"Faults: {done}; {run.restarts} restarts by the supervisor, {run.account.copies:,} records delivered "
        f"more than once, {run.duplicates:,} duplicates dropped by consumers, {run.rebalances:,} rebalances."
    )
    longest = max(run.recoveries, key=lambda recovery: recovery.still_s)
    yield f"Longest standstill: {longest.still_s:.1f} s, after {longest.step}."
    yield (
        f"lost {len(verdict.lost)}, repeated {len(verdict.repeated)}, reordered {len(verdict.reordered)}, "
        f"contradicted {len(verdict.contradicted)}, standstills above {LIMIT_S:.0f} s {len(run.standstills)}"
    )
    wrong = [*verdict.sentences(), *(f"stood still: {line(each)}" for each in run.standstills)]
    yield from wrong[:NAMED]
    if len(wrong) > NAMED:
        yield f"... and {len(wrong) - NAMED} more"
    if wrong:
        asked = " ".join(
            (
                *(("--network",) if report.network else ()),
                *((f"--after {report.left_out}",) if report.left_out else ()),
            )
        )
        options = f' ARGS="{asked}"' if asked else ""
        yield (
            f"Repeat with: make chaos SEED={report.seed} FAULTS={report.faults} PUBLISHER={report.publisher} "
            f"PROFILE={report.shape}{options}"
        )


def document(report: Report) -> dict[str, Any]:
    """Return everything for machines."""
    run, verdict = report.run, report.run.verdict
    sent = run.load.sent
    return {
        "ok": report.ok,
        "seed": report.seed,
        "faults": report.faults,
        "publisher": report.publisher,
        "profile": report.shape,
        "network": report.network,
        "rate_per_s": report.rate,
        "machine": machine(),
        "seconds": round(run.seconds, 1),
        "sent": len(sent),
        "placed": len(run.account.statuses),
        "sent_again": run.load.sent_again,
        "replayed": run.load.replayed,
        "unavailable": unavailable(sent),
        "unanswered": unanswered(sent),
        "carried_out": faults_by_kind(run),
        "supervised_restarts": run.restarts,
        "records_more_than_once": run.account.copies,
        "duplicates_dropped": run.duplicates,
        "rebalances": run.rebalances,
        "standstills_above_limit": len(run.standstills),
        **{name: list(found) for name, found in asdict(verdict).items()},
        "recoveries": [_recovery(recovery) for recovery in run.recoveries],
    }


def faults_by_kind(run: Run) -> Mapping[str, int]:
    """Return how many faults of each kind were carried out."""
    counts = dict.fromkeys((kind.value for kind in Kind), 0)
    for recovery in run.recoveries:
        for fault in recovery.step.faults:
            counts[fault.kind] += 1
    return counts


def _recovery(recovery: Recovery) -> dict[str, Any]:
    figures = asdict(recovery)
    times = {name: round(value, 2) for name, value in figures.items() if name.endswith("_s")}
    return {**figures, "step": str(recovery.step), **times}


def _table(recoveries: Sequence[Recovery]) -> Table:
    table = Table("fault", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("times", "effects p50", "max", "backlog gone p50", "max", "unanswered"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, alike in sorted(_alike(recoveries).items()):
        flowing = [recovery.flowing_s for recovery in alike]
        drained = [recovery.drained_s for recovery in alike]
        table.add_row(
            name,
            str(len(alike)),
            *(f"{value:.1f} s" for value in (percentile(flowing, 50), max(flowing))),
            *(f"{value:.1f} s" for value in (percentile(drained, 50), max(drained))),
            str(sum(recovery.unanswered for recovery in alike)),
        )
    return table


def _alike(recoveries: Sequence[Recovery]) -> dict[str, list[Recovery]]:
    found: dict[str, list[Recovery]] = defaultdict(list)
    for recovery in recoveries:
        faults = recovery.step.faults
        name = f"{faults[0].kind} {faults[0].target}" if len(faults) == 1 else "two within a second"
        found[name].append(recovery)
    return found
