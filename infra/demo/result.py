"""The figures of a run."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from infra.demo.ledger import Totals
from infra.demo.walk import Besides
from schemas.money.amounts import in_currency

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to."""

    source: str
    rows: int
    bad_rows: int
    refused: int
    unsent: int
    placed: int
    confirmed: int
    cancelled: Mapping[str, int]
    answers_lost: int  # orders placed whose answer was lost; their events told of them
    replayed: int  # orders placed whose answer was lost, and came when they were sent again
    unknown: int
    unfinished: tuple[str, ...]
    # from before the POST until its answer: percentile -> milliseconds
    answer_ms: Mapping[int, float]
    # from before the POST until the last event was seen: percentile -> milliseconds
    latency_ms: Mapping[int, float]
    # deliveries that consumers dropped while the run went on; None if the database is gone
    duplicates: int | None
    messages: int | None  # written to outboxes meanwhile; None if the database is gone
    commits: (
        int | None
    )  # transactions of the database meanwhile, whoever made them; None if it is gone
    books: (
        tuple[str, ...] | None
    )  # in which way the services disagree; None if the database is gone
    totals: Mapping[str, Totals]
    duration_s: float  # how long it took, in seconds
    problems: tuple[str, ...]
    stopped: str | None  # why it ended early, if it did
    interrupted: bool
    besides: Besides  # what was done beside the orders
    killed: Mapping[str, int]  # program that was killed meanwhile -> how often

    @property
    def rate(self) -> float:
        return self.ended / max(self.duration_s, 1e-9)

    @property
    def ended(self) -> int:
        return self.confirmed + sum(self.cancelled.values())

    @property
    def match(self) -> bool:
        return all(totals.match for totals in self.totals.values())

    @property
    def ok(self) -> bool:
        """Everything was sent, came to its end, and adds up."""
        gone_wrong = (
            self.bad_rows + self.refused + self.unsent + self.unknown + len(self.unfinished)
        )
        all_came = not gone_wrong and self.stopped is None
        return all_came and self.match and not self.books and self.besides.ok

    def as_json(self) -> dict[str, Any]:
        """Return all figures for machines: money as strings, latencies in milliseconds."""
        figures = {each.name: getattr(self, each.name) for each in fields(self)}
        duplicates = figures.pop("duplicates")
        return figures | {
            "ok": self.ok,
            "cancelled": sum(self.cancelled.values()),
            "cancelled_by_reason": dict(sorted(self.cancelled.items())),
            "unfinished": len(self.unfinished),
            "unfinished_ids": list(self.unfinished),
            "answer_ms": _rounded(self.answer_ms),
            "latency_ms": _rounded(self.latency_ms),
            "duplicates_suppressed": duplicates,
            "duration_s": round(self.duration_s, 3),
            "orders_per_s": round(self.rate, 1),
            "besides": _besides(self.besides),
            "totals": {code: _sums(code, totals) for code, totals in sorted(self.totals.items())},
        }


def percentiles(latencies_s: Iterable[float]) -> dict[int, float]:
    """Return the percentiles in milliseconds: the smallest latency that so many percent do not exceed."""
    ranked = sorted(latencies_s)
    if not ranked:
        return {}
    return {p: ranked[math.ceil(len(ranked) * p / 100) - 1] * 1000 for p in PERCENTILES}


def _rounded(latencies_ms: Mapping[int, float]) -> dict[str, float]:
    return {f"p{p}": round(ms, 1) for p, ms in latencies_ms.items()}


def _besides(besides: Besides) -> dict[str, Any]:
    told = asdict(besides)
    if besides.report:
        told["report"]["is_right"] = besides.report.is_right
    return told | {"ok": besides.ok}


def _sums(code: str, totals: Totals) -> dict[str, Any]:
    amounts: dict[str, Decimal] = {
        "source": totals.source,
        "discount": totals.discount,
        "placed": totals.placed,
        "confirmed": totals.confirmed,
        "cancelled": totals.cancelled,
        "events": totals.events,
    }
    return {name: str(in_currency(sum_, code)) for name, sum_ in amounts.items()} | {
        "match": totals.match
    }
