"""Dashboards of Grafana, as the JSON that it reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.observability.alerts import OLD

SCHEMA_VERSION = 39
WIDTH, HEIGHT = 24, 8
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

Unit = Literal["s", "bytes", "short", "reqps", "percentunit", "bool_on_off", "none", "cps", "Bps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A graph, or numbers as they are now.

    Args:
        queries: Expression -> legend, which may name labels.
    """

    title: str
    about: str
    queries: dict[str, str]
    unit: Unit
    kind: Literal["timeseries", "stat"] = "timeseries"
    width: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard; `uid` is its name in addresses, and of its file."""

    uid: str
    title: str
    panels: Sequence[Panel]


PIPELINE = Board(
    uid="tailrace-pipeline",
    title="Tailrace: pipeline",
    panels=(
        Panel(
            title="Alerts that fire",
            about="By name; docs/operations.md has what to do.",
            queries={'sum by (alertname) (ALERTS{alertstate="firing"})': "{{alertname}}"},
            unit="short",
            kind="stat",
            width=12,
        ),
        Panel(
            title="Canary",
            about="What a message took from commit to Kafka, and how long ago the last one was sent that came through.",
            queries={
                "tailrace_canary_duration_seconds": "took",
                "tailrace_canary_age_seconds": "age",
            },
            unit="s",
            width=12,
        ),
        Panel(
            title="Records published",
            about="Offsets a second, by topic.",
            queries={"rate(tailrace_topic_records_total[1m])": "{{topic}}"},
            unit="cps",
        ),
        Panel(
            title="Oldest row that is not in Kafka",
            about="By outbox.",
            queries={"tailrace_outbox_oldest_unpublished_seconds": "{{outbox}}"},
            unit="s",
        ),
        Panel(
            title="Rows that are not in Kafka",
            about="By outbox.",
            queries={"tailrace_outbox_unpublished_rows": "{{outbox}}"},
            unit="short",
        ),
        Panel(
            title="WAL kept for the slot",
            about="And how much may be kept before Postgres gives the slot up.",
            queries={
                "tailrace_slot_retained_bytes": "kept for {{slot}}",
                "tailrace_slot_limit_bytes": "limit",
            },
            unit="bytes",
        ),
        Panel(
            title="Connector",
            about="1 while it and its task run.",
            queries={"tailrace_connector_running": "{{connector}}"},
            unit="bool_on_off",
            kind="stat",
        ),
        Panel(
            title="Not as declared",
            about="Checks of the doctor that have found something.",
            queries={"tailrace_check_ok == 0": "{{check}}"},
            unit="none",
            kind="stat",
        ),
    ),
)
CONSUMERS = Board(
    uid="tailrace-consumers",
    title="Tailrace: consumers and sagas",
    panels=(
        Panel(
            title="Behind, in seconds",
            about="Age of the oldest message that a consumer has not done.",
            queries={"max by (consumer) (tailrace_consumer_lag_seconds)": "{{consumer}}"},
            unit="s",
        ),
        Panel(
            title="Behind, in messages",
            about="At most; offsets without a record are counted where they lie between records.",
            queries={"sum by (consumer) (tailrace_consumer_lag_messages)": "{{consumer}}"},
            unit="short",
        ),
        Panel(
            title="Messages taken",
            about="Offsets a second.",
            queries={
                "sum by (consumer) (rate(tailrace_consumer_records_total[1m]))": "{{consumer}}"
            },
            unit="cps",
        ),
        Panel(
            title="Calls of handlers",
            about="By handler.",
            queries={
                "sum by (consumer, handler) (rate(tailrace_handler_calls_total[1m]))": "{{consumer}} {{handler}}"
            },
            unit="cps",
        ),
        Panel(
            title="Time of a call",
            about="On average, by handler.",
            queries={
                "sum by (handler) (rate(tailrace_handler_seconds_total[1m])) "
                "/ sum by (handler) (rate(tailrace_handler_calls_total[1m]))": "{{handler}}"
            },
            unit="s",
        ),
        Panel(
            title="Calls that failed",
            about="By handler.",
            queries={
                "sum by (consumer, handler) (rate(tailrace_handler_failures_total[1m]))": "{{consumer}} {{handler}}"
            },
            unit="cps",
        ),
        Panel(
            title="Parked messages",
            about="By consumer and why.",
            queries={"tailrace_parked_messages > 0": "{{consumer}} {{reason}}"},
            unit="short",
        ),
        Panel(
            title="Keys that are held up",
            about="By a message that is tried again, or by a dead letter.",
            queries={
                "sum by (consumer, status) (tailrace_parked_keys) > 0": "{{consumer}} {{status}}"
            },
            unit="short",
        ),
        Panel(
            title="Duplicates that were dropped",
            about="Their effect existed.",
            queries={
                "sum by (consumer) (rate(tailrace_consumer_duplicates_total[1m]))": "{{consumer}}"
            },
            unit="cps",
        ),
        Panel(
            title="Open sagas",
            about="By status.",
            queries={"tailrace_sagas_open": "{{saga}} {{status}}"},
            unit="short",
        ),
        Panel(
            title="Sagas that have not changed",
            about="For how long the one has not that has waited longest.",
            queries={"tailrace_sagas_unchanged_seconds": "{{saga}} {{status}}"},
            unit="s",
        ),
        Panel(
            title="Workers that are ready",
            about="They hold what they should, and come on.",
            queries={"tailrace_worker_ready": "{{consumer}} {{instance}}"},
            unit="bool_on_off",
        ),
    ),
)
SERVICES = Board(
    uid="tailrace-services",
    title="Tailrace: services and servers",
    panels=(
        Panel(
            title="Requests",
            about="A second, by service and status.",
            queries={
                "sum by (service, status) (rate(tailrace_http_request_duration_seconds_count[1m]))": (
                    "{{service}} {{status}}"
                )
            },
            unit="reqps",
        ),
        Panel(
            title="Time of a request, 99 of 100",
            about="By service.",
            queries={
                "histogram_quantile(0.99, sum by (service, le) "
                "(rate(tailrace_http_request_duration_seconds_bucket[1m])))": "{{service}}"
            },
            unit="s",
        ),
        Panel(
            title="Requests that were refused or given up",
            about="By why.",
            queries={
                "sum by (service, reason) (rate(tailrace_http_requests_refused_total[1m]))": "{{service}} {{reason}}"
            },
            unit="reqps",
        ),
        Panel(
            title="Calls of gRPC",
            about="A second, by service and status.",
            queries={
                "sum by (service, code) (rate(tailrace_rpc_duration_seconds_count[1m]))": "{{service}} {{code}}"
            },
            unit="reqps",
        ),
        Panel(
            title="Time of a call of gRPC, 99 of 100",
            about="By service.",
            queries={
                "histogram_quantile(0.99, sum by (service, le) "
                "(rate(tailrace_rpc_duration_seconds_bucket[1m])))": "{{service}}"
            },
            unit="s",
        ),
        Panel(
            title="Circuit breakers that are open",
            about="Who calls, and whom.",
            queries={'tailrace_call_breaker_state{state="open"}': "{{service}} to {{target}}"},
            unit="bool_on_off",
        ),
        Panel(
            title="Calls that failed",
            about="Who called, and whom.",
            queries={"rate(tailrace_call_failures_total[1m])": "{{service}} to {{target}}"},
            unit="reqps",
        ),
        Panel(
            title="Parts that do their work",
            about="As they are asked themselves.",
            queries={"sum(tailrace_part_up)": "up", "count(tailrace_part_up)": "all"},
            unit="none",
            kind="stat",
        ),
        Panel(
            title="Processor",
            about="Cores that a program takes, on the local stack.",
            queries={"rate(tailrace_program_cpu_seconds_total[2m])": "{{program}}"},
            unit="short",
        ),
        Panel(
            title="Memory",
            about="Of a program alone, on the local stack.",
            queries={"tailrace_program_private_memory_bytes": "{{program}}"},
            unit="bytes",
        ),
        Panel(
            title="Restarts",
            about="Of programs that had ended by themselves, on the local stack.",
            queries={"increase(tailrace_program_restarts_total[10m]) > 0": "{{program}}"},
            unit="short",
        ),
        Panel(
            title="Connections of Postgres",
            about="And how many it takes.",
            queries={
                "tailrace_postgres_connections": "open, {{capture}}",
                "tailrace_postgres_connections_limit": "limit, {{capture}}",
            },
            unit="short",
        ),
        Panel(
            title="Transactions",
            about="A second.",
            queries={
                "rate(tailrace_postgres_transactions_committed_total[1m])": "committed, {{capture}}",
                "rate(tailrace_postgres_transactions_rolled_back_total[1m])": "rolled back, {{capture}}",
            },
            unit="cps",
        ),
        Panel(
            title="WAL written",
            about="Bytes a second, and the size of the database.",
            queries={
                "rate(tailrace_postgres_wal_bytes_total[1m])": "WAL a second, {{capture}}",
                "tailrace_postgres_database_bytes": "database, {{capture}}",
            },
            unit="bytes",
        ),
        Panel(
            title="Brokers",
            about="Of Kafka, and partitions that lack one, or a leader.",
            queries={
                "tailrace_kafka_brokers": "brokers",
                "tailrace_kafka_under_replicated_partitions": "under-replicated",
                "tailrace_kafka_leaderless_partitions": "leaderless",
            },
            unit="short",
        ),
        Panel(
            title="Sources of metrics",
            about="Time that their answers took; those that give none are missing.",
            queries={"tailrace_source_duration_seconds": "{{source}}"},
            unit="s",
        ),
    ),
)
JVMS = Board(
    uid="tailrace-jvms",
    title="Tailrace: JVMs of Kafka and Connect",
    panels=(
        Panel(
            title="Heap",
            about="All of this is empty unless JVMs run with the agent: `make up JVM_METRICS=1`.",
            queries={
                'jvm_memory_used_bytes{area="heap"}': "{{service}} used",
                'jvm_memory_committed_bytes{area="heap"}': "{{service}} taken from the system",
                'jvm_memory_max_bytes{area="heap"}': "{{service}} at most",
            },
            unit="bytes",
        ),
        Panel(
            title="Heap after collections",
            about="Share of the old generation that the last collection of it has left.",
            queries={
                f"jvm_memory_pool_collection_used_bytes{{{OLD}}} / jvm_memory_pool_max_bytes{{{OLD}}}": "{{service}}"
            },
            unit="percentunit",
        ),
        Panel(
            title="Time of collections",
            about="Share of the time for which all else stood still, by collector.",
            queries={"rate(jvm_gc_collection_seconds_sum[1m])": "{{service}} {{gc}}"},
            unit="percentunit",
        ),
        Panel(
            title="Collections",
            about="A second, by collector.",
            queries={"rate(jvm_gc_collection_seconds_count[1m])": "{{service}} {{gc}}"},
            unit="cps",
        ),
        Panel(
            title="Threads",
            about="That run or wait.",
            queries={"jvm_threads_current": "{{service}}"},
            unit="short",
        ),
        Panel(
            title="Processor",
            about="Cores that a JVM takes.",
            queries={'rate(process_cpu_seconds_total{kind="jvm"}[2m])': "{{service}}"},
            unit="short",
        ),
        Panel(
            title="Partitions that lack something",
            about="Copies, so many copies that nothing can be written, or a leader.",
            queries={
                "kafka_under_replicated_partitions": "{{service}} under-replicated",
                "kafka_under_min_isr_partitions": "{{service}} not writable",
                "kafka_offline_partitions": "{{service}} without a leader",
            },
            unit="short",
        ),
        Panel(
            title="Controller in charge",
            about="1 for one of the brokers.",
            queries={"kafka_active_controllers": "{{service}}"},
            unit="bool_on_off",
        ),
        Panel(
            title="Request handlers that are idle",
            about="Share of their time. Below a third, requests wait for each other.",
            queries={"rate(kafka_request_handlers_idle_seconds_total[1m])": "{{service}}"},
            unit="percentunit",
        ),
        Panel(
            title="Requests",
            about="A second, by kind; and those that wait for a thread.",
            queries={
                "rate(kafka_requests_total[1m])": "{{service}} {{request}}",
                "kafka_request_queue_size": "{{service}} waiting",
            },
            unit="short",
        ),
        Panel(
            title="Time of a request to produce",
            about="Half of them, and 99 of 100.",
            queries={
                'kafka_request_duration_seconds{request="Produce"}': "{{service}} {{quantile}}",
            },
            unit="s",
        ),
        Panel(
            title="Records in and out",
            about="Bytes a second, without what brokers copy from each other.",
            queries={
                "rate(kafka_received_bytes_total[1m])": "{{service}} in",
                "rate(kafka_sent_bytes_total[1m])": "{{service}} out",
            },
            unit="Bps",
        ),
        Panel(
            title="Connectors and tasks",
            about="As the worker of Connect sees those it runs.",
            queries={
                "connect_connector_status": "{{connector}} {{status}}",
                "connect_task_status": "{{connector}} {{task}} {{status}}",
                "debezium_connected": "{{server}} connected to its database",
            },
            unit="none",
            kind="stat",
        ),
        Panel(
            title="Records on their way",
            about="Read by a task, and not taken by Kafka yet.",
            queries={"connect_source_records_in_flight": "{{connector}} {{task}}"},
            unit="short",
        ),
        Panel(
            title="Records written",
            about="A second, and those that could not be processed.",
            queries={
                "rate(connect_source_records_written_total[1m])": "{{connector}} {{task}}",
                "rate(connect_task_record_failures_total[1m])": "{{connector}} {{task}} failed",
            },
            unit="cps",
        ),
        Panel(
            title="Debezium behind the database",
            about="How old the last change was when it was read. It stays so until there is another one.",
            queries={"debezium_behind_source_seconds": "{{server}}"},
            unit="s",
        ),
        Panel(
            title="Debezium's queue",
            about="Share of it that is full. It fills when Kafka takes less than the database gives.",
            queries={
                "1 - debezium_queue_remaining / debezium_queue_capacity": "{{server}} changes",
                "debezium_queue_bytes / (debezium_queue_max_bytes > 0)": "{{server}} bytes",
            },
            unit="percentunit",
        ),
        Panel(
            title="Changes that Debezium read",
            about="A second; also those it left out, and those it could not process.",
            queries={
                "rate(debezium_events_total[1m])": "{{server}}",
                "rate(debezium_events_filtered_total[1m])": "{{server}} left out",
                "rate(debezium_events_erroneous_total[1m])": "{{server}} erroneous",
            },
            unit="cps",
        ),
    ),
)
BOARDS = (PIPELINE, CONSUMERS, SERVICES, JVMS)


def dashboards() -> dict[str, dict[str, Any]]:
    """Return name -> dashboard."""
    return {board.uid: _board(board) for board in BOARDS}


def _board(board: Board) -> dict[str, Any]:
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["tailrace"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,  # the cursor stands at one time in all panels
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "templating": {"list": [_datasource()]},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels(board.panels)),
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "options": [],
    }


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > WIDTH:
            x, y = 0, y + HEIGHT
        yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": HEIGHT})
        x += panel.width


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    options: dict[str, Any] = (
        {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
        if panel.kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name"}
    )
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for index, (expression, legend) in enumerate(panel.queries.items())
        ],
    }
