"""The metrics of a worker, made of what its health endpoint tells."""

from collections.abc import Iterator, Mapping
from typing import Any

from cdc.metrics import Metric, counter, gauge

OUTCOMES = ("applied", "duplicates", "parked")


def worker_metrics(consumer: str, told: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of one worker.

    Args:
        told: The body of its health endpoint.
    """
    yield gauge(
        "tailrace_worker_ready",
        "Whether the worker holds what it should and comes on.",
        {(consumer,): told["ready"]},
        ["consumer"],
    )
    yield gauge(
        "tailrace_worker_lag_seconds",
        "Age of the oldest message that the worker has fetched, or could, and not done.",
        {(consumer,): told["lag_s"]},
        ["consumer"],
    )
    yield counter(
        "tailrace_worker_messages_total",
        "What became of messages, since the worker holds their partition.",
        {
            (consumer, each["topic"], str(each["partition"]), outcome): each[outcome]
            for each in told["partitions"]
            for outcome in OUTCOMES
        },
        ["consumer", "topic", "partition", "outcome"],
    )
    yield counter(
        "tailrace_worker_passed_over_messages_total",
        "Messages that no handler was called with: nobody takes their type, or they had expired.",
        {(consumer, reason): sum(told[reason].values()) for reason in ("ignored", "expired")},
        ["consumer", "reason"],
    )
    yield from _of_handlers(consumer, told["handlers"])
    if answers := told["answers"]:
        yield counter(
            "tailrace_worker_requests_total",
            "What became of requests that came by Kafka.",
            {
                (consumer, outcome): sum(of.values()) if isinstance(of, Mapping) else of
                for outcome, of in answers.items()
            },
            ["consumer", "outcome"],
        )
    if stashed := told["stashed"]:
        yield gauge(
            "tailrace_worker_stashed_commands",
            "Commands that wait for what another saga has locked.",
            {(consumer,): stashed["commands"]},
            ["consumer"],
        )


def _of_handlers(consumer: str, handlers: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    for figure, about in (
        ("calls", "Calls of a handler, those included that were rolled back."),
        ("messages", "Messages that these calls were about."),
        ("failures", "Calls that raised an error, or were cancelled as they took too long."),
        ("seconds", "Time that the calls took."),
    ):
        yield counter(
            f"tailrace_handler_{figure}_total",
            about,
            {(consumer, handler): stats[figure] for handler, stats in handlers.items()},
            ["consumer", "handler"],
        )
