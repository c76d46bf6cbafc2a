"""What somebody is told of by Prometheus: when, how urgent it is, and where the runbook is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

RUNBOOK = "docs/operations.md"
DECLARED_CHECKS = (
    "server settings",
    "roles",
    "tables",
    "publication",
    "topics",
    "schemas",
    "outbox retention",
    "delivered rows",
)
"""Checks of the doctor that hold what is against what is declared."""
OLD = 'pool=~".*(Old|Tenured) Gen"'
"""Selects the part of a heap in which there is what has outlived collections, as the usual collectors call it."""
FAULTS = "INTERNAL|UNKNOWN|UNAVAILABLE"
"""Statuses of gRPC that are the server's own fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From when on something is worth an alert. How long a state lasts before that is multiplied by `patience`."""

    patience: float = 1.0
    slot_share: float = 0.5  # of the WAL that may be kept
    slot_bytes: int = 2 * 2**30  # the same where there is no limit: what fills is the disk
    unpublished_s: float = 60.0
    lag_s: float = 60.0
    saga_s: float = 900.0  # for which a saga has not changed
    canary_s: float = 180.0  # of which one is sent each minute
    failing_share: float = 0.05  # of the requests to a service
    connections_share: float = 0.9  # of those that Postgres takes
    heap_share: float = 0.9  # of the old generation of a JVM, after a collection
    queue_share: float = 0.9  # of the changes for which Debezium has room


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; its runbook is a heading of docs/operations.md, by the alert's name."""

    name: str
    expression: str
    lasts_s: float  # before anybody is told
    severity: Literal["page", "ticket"]  # whether somebody is to be woken
    summary: str  # may name labels, in Prometheus's templates


def alerts(at: Thresholds) -> tuple[Alert, ...]:
    checks = "|".join(DECLARED_CHECKS)
    return (
        Alert(
            name="TailraceExporterDown",
            expression='up{job="tailrace"} == 0',
            lasts_s=60,
            severity="page",
            summary="The exporter is not answering: nothing is known of slot, outboxes and consumers",
        ),
        Alert(
            name="TailraceSourceUnseen",
            expression="tailrace_source_up == 0",
            lasts_s=120,
            severity="page",
            summary="The exporter is given no answer about {{ $labels.source }}: its metrics are missing",
        ),
        Alert(
            name="TailracePartDown",
            expression="tailrace_part_up == 0",
            lasts_s=60,
            severity="page",
            summary="{{ $labels.part }} does not do its work",
        ),
        Alert(
            name="TailraceServiceDown",
            expression='up{job="tailrace-services"} == 0',
            lasts_s=120,
            severity="page",
            summary="{{ $labels.service }} does not answer at {{ $labels.instance }}",
        ),
        Alert(
            name="TailraceConnectorDown",
            expression="tailrace_connector_running == 0",
            lasts_s=60,
            severity="page",
            summary="The connector {{ $labels.connector }} or its task does not run: nothing is published",
        ),
        Alert(
            name="TailraceSlotUnusable",
            expression="tailrace_slot_usable == 0",
            lasts_s=0,
            severity="page",
            summary="The replication slot {{ $labels.slot }} is gone, or was given up: rows would be lost",
        ),
        Alert(
            name="TailraceSlotRetainsWal",
            expression=(
                f"tailrace_slot_retained_bytes > {at.slot_share} * tailrace_slot_limit_bytes "
                f"or (tailrace_slot_retained_bytes > {at.slot_bytes} unless on(slot) tailrace_slot_limit_bytes)"
            ),
            lasts_s=60,
            severity="page",
            summary="{{ $value | humanize1024 }}B of WAL are kept for the slot {{ $labels.slot }}",
        ),
        Alert(
            name="TailraceOutboxNotPublished",
            expression=f"tailrace_outbox_oldest_unpublished_seconds > {at.unpublished_s}",
            lasts_s=60,
            severity="page",
            summary="A row of the outbox of {{ $labels.outbox }} has waited for {{ $value | humanizeDuration }}",
        ),
        Alert(
            name="TailraceCanaryLost",
            expression=f"tailrace_canary_age_seconds > {at.canary_s}",
            lasts_s=0,
            severity="page",
            summary="No message has come through the pipeline for {{ $value | humanizeDuration }}",
        ),
        Alert(
            name="TailraceConsumerBehind",
            expression=f"tailrace_consumer_lag_seconds > {at.lag_s}",
            lasts_s=120,
            severity="page",
            summary="{{ $labels.consumer }} is behind in {{ $labels.topic }} by {{ $value | humanizeDuration }}",
        ),
        Alert(
            name="TailraceRecordsLost",
            expression="tailrace_consumer_lost_records > 0",
            lasts_s=0,
            severity="page",
            summary="{{ $value }} records of {{ $labels.topic }} were deleted before {{ $labels.consumer }} read them",
        ),
        Alert(
            name="TailraceDeadLetters",
            expression='tailrace_parked_keys{status="dead"} > 0',
            lasts_s=0,
            severity="ticket",
            summary="{{ $value }} dead letters of {{ $labels.consumer }} wait for somebody to decide",
        ),
        Alert(
            name="TailraceSagasStuck",
            expression=(
                'tailrace_sagas_open{status=~"paused|stuck"} > 0 '
                f"or tailrace_sagas_unchanged_seconds > {at.saga_s}"
            ),
            lasts_s=0,
            severity="ticket",
            summary="Sagas of {{ $labels.saga }} are {{ $labels.status }}, and do not go on",
        ),
        Alert(
            name="TailraceBreakerOpen",
            expression='max_over_time(tailrace_call_breaker_state{state="open"}[1m]) == 1',
            lasts_s=60,
            severity="page",
            summary="{{ $labels.service }} has given up calling {{ $labels.target }} for the time being",
        ),
        Alert(
            name="TailraceRequestsFailing",
            expression=(
                'sum by (service) (rate(tailrace_http_request_duration_seconds_count{status=~"5.."}[1m])) '
                f"> {at.failing_share} * sum by (service) (rate(tailrace_http_request_duration_seconds_count[1m]))"
            ),
            lasts_s=60,
            severity="page",
            summary="{{ $labels.service }} answers too many requests with an error of its own",
        ),
        Alert(
            name="TailraceCallsFailing",
            expression=(
                f'sum by (service) (rate(tailrace_rpc_duration_seconds_count{{code=~"{FAULTS}"}}[1m])) '
                f"> {at.failing_share} * sum by (service) (rate(tailrace_rpc_duration_seconds_count[1m]))"
            ),
            lasts_s=60,
            severity="page",
            summary="{{ $labels.service }} answers too many calls with an error of its own",
        ),
        Alert(
            name="TailraceConnectionsScarce",
            expression=(
                f"tailrace_postgres_connections > {at.connections_share} * tailrace_postgres_connections_limit"
            ),
            lasts_s=60,
            severity="ticket",
            summary="Postgres has {{ $value }} connections, and takes hardly any more",
        ),
        Alert(
            name="TailraceHeapFull",
            # a largest size of -1 is that of a part without one
            expression=(
                f"jvm_memory_pool_collection_used_bytes{{{OLD}}} "
                f"> {at.heap_share} * (jvm_memory_pool_max_bytes{{{OLD}}} > 0)"
            ),
            lasts_s=120,
            severity="ticket",
            summary="Collections leave hardly anything free in the heap of {{ $labels.service }}",
        ),
        Alert(
            name="TailraceQueueFull",
            expression=(
                f"debezium_queue_remaining < {1 - at.queue_share:.3g} * debezium_queue_capacity "
                f"or debezium_queue_bytes > {at.queue_share} * (debezium_queue_max_bytes > 0)"
            ),
            lasts_s=120,
            severity="ticket",
            summary="Debezium's queue of {{ $labels.server }} is full: Kafka does not take what the database gives",
        ),
        Alert(
            name="TailraceNotAsDeclared",
            expression=f'tailrace_check_ok{{check=~"{checks}"}} == 0',
            lasts_s=0,
            severity="ticket",
            summary="{{ $labels.check }}: something is not as declared",
        ),
    )


def heading(name: str) -> str:
    """Return the anchor of an alert's runbook, as headings have it."""
    return name.lower()


def rules(at: Thresholds) -> dict[str, Any]:
    """Return the rules, as Prometheus reads them."""
    return {"groups": [{"name": "tailrace", "rules": _rules(alerts(at), at.patience)}]}


def _rules(wanted: Sequence[Alert], patience: float) -> list[dict[str, Any]]:
    return [
        {
            "alert": each.name,
            "expr": each.expression,
            "for": f"{each.lasts_s * patience:.0f}s",
            "labels": {"severity": each.severity},
            "annotations": {
                "summary": each.summary,
                "runbook": f"{RUNBOOK}#{heading(each.name)}",
            },
        }
        for each in wanted
    ]
