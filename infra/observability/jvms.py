"""What Prometheus's agent (jmx_prometheus_javaagent) tells of a JVM of Kafka or Connect, besides heap and collections.

One file of rules does for all of them: of what a JVM does not have, nothing is told. Labels name requests,
connectors and tasks, never topics, so that there are some hundred series for each JVM.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

PLACE = re.compile(r"\{(\w+)\}")
MILLISECOND, NANOSECOND = 0.001, 0.000000001
REQUESTS = ("Produce", "FetchConsumer", "FetchFollower")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A metric.

    Args:
        bean: Whose it is. What stands in braces is the name of a label, which gets what the bean has in that place.
        factor: What makes the attribute's unit that of the metric.
        text_as: The label that gets the attribute where that is a text; the metric is 1.
    """

    name: str
    about: str
    bean: str
    attribute: str = "Value"
    kind: Literal["GAUGE", "COUNTER"] = "GAUGE"
    factor: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    text_as: str | None = None


BROKER = (
    Told(
        name="kafka_active_controllers",
        about="Whether the broker's controller is the one in charge of the cluster.",
        bean="kafka.controller:type=KafkaController,name=ActiveControllerCount",
    ),
    Told(
        name="kafka_offline_partitions",
        about="Partitions without a leader, as the controller in charge knows them.",
        bean="kafka.controller:type=KafkaController,name=OfflinePartitionsCount",
    ),
    Told(
        name="kafka_under_replicated_partitions",
        about="Partitions led by the broker of which another one lacks what it is to keep.",
        bean="kafka.server:type=ReplicaManager,name=UnderReplicatedPartitions",
    ),
    Told(
        name="kafka_under_min_isr_partitions",
        about="Partitions led by the broker that have too few copies to be written to.",
        bean="kafka.server:type=ReplicaManager,name=UnderMinIsrPartitionCount",
    ),
    Told(
        name="kafka_request_handlers_idle_seconds_total",
        about="Time for which a thread that handles requests had none, on average; its rate is the share that is idle.",
        bean="kafka.server:type=KafkaRequestHandlerPool,name=RequestHandlerAvgIdlePercent",
        attribute="Count",
        kind="COUNTER",
        factor=NANOSECOND,
    ),
    Told(
        name="kafka_request_queue_size",
        about="Requests that wait for a thread.",
        bean="kafka.network:type=RequestChannel,name=RequestQueueSize",
    ),
    *(
        Told(
            name=name,
            about=about,
            bean=f"kafka.server:type=BrokerTopicMetrics,name={counted}",
            attribute="Count",
            kind="COUNTER",
        )
        for name, about, counted in (
            ("kafka_received_bytes_total", "Size of records from producers.", "BytesInPerSec"),
            ("kafka_sent_bytes_total", "Size of records to consumers.", "BytesOutPerSec"),
        )
    ),
)


def _requests(request: str) -> Iterator[Told]:
    bean = f"kafka.network:type=RequestMetrics,name=TotalTimeMs,request={request}"
    labels = {"request": request}
    yield Told(
        name="kafka_requests_total",
        about="Requests that were answered.",
        bean=bean,
        attribute="Count",
        kind="COUNTER",
        labels=labels,
    )
    for percent in ("50", "99"):
        yield Told(
            name="kafka_request_duration_seconds",
            about="Time to the answer, of requests of the last minutes; a fetch also waits for records.",
            bean=bean,
            attribute=f"{percent}thPercentile",
            factor=MILLISECOND,
            labels=labels | {"quantile": f"0.{percent}"},
        )


TASK = "connector={connector},task={task}"
CONNECT = (
    Told(
        name="connect_connector_status",
        about="1 for the status that a connector has on the worker.",
        bean="kafka.connect:type=connector-metrics,connector={connector}",
        attribute="status",
        text_as="status",
    ),
    Told(
        name="connect_task_status",
        about="1 for the status that a task has on the worker.",
        bean=f"kafka.connect:type=connector-task-metrics,{TASK}",
        attribute="status",
        text_as="status",
    ),
    Told(
        name="connect_source_records_written_total",
        about="Records of a task that Kafka has taken.",
        bean=f"kafka.connect:type=source-task-metrics,{TASK}",
        attribute="source-record-write-total",
        kind="COUNTER",
    ),
    Told(
        name="connect_source_records_in_flight",
        about="Records of a task that Kafka has not taken yet.",
        bean=f"kafka.connect:type=source-task-metrics,{TASK}",
        attribute="source-record-active-count",
    ),
    Told(
        name="connect_task_record_failures_total",
        about="Records of a task that could not be processed.",
        bean=f"kafka.connect:type=task-error-metrics,{TASK}",
        attribute="total-record-failures",
        kind="COUNTER",
    ),
)
STREAMING = "debezium.postgres:type=connector-metrics,context=streaming,server={server}"
"""`server` is the connector's topic.prefix: `tailrace`, or `tailrace_<database>`."""
DEBEZIUM = (
    Told(
        name="debezium_connected",
        about="Whether there is a connection to the database.",
        bean=STREAMING,
        attribute="Connected",
    ),
    Told(
        name="debezium_behind_source_seconds",
        about="How old the last change was when it was read.",
        bean=STREAMING,
        attribute="MilliSecondsBehindSource",
        factor=MILLISECOND,
    ),
    Told(
        name="debezium_queue_capacity",
        about="Changes for which there is room between the reading from the database and the writing to Kafka.",
        bean=STREAMING,
        attribute="QueueTotalCapacity",
    ),
    Told(
        name="debezium_queue_remaining",
        about="The part of that room which is free.",
        bean=STREAMING,
        attribute="QueueRemainingCapacity",
    ),
    Told(
        name="debezium_queue_max_bytes",
        about="Memory that changes may take there; 0 where it is not bounded.",
        bean=STREAMING,
        attribute="MaxQueueSizeInBytes",
    ),
    Told(
        name="debezium_queue_bytes",
        about="Memory that they take, by Debezium's estimate; 0 where it is not bounded.",
        bean=STREAMING,
        attribute="CurrentQueueSizeInBytes",
    ),
    *(
        Told(name=name, about=about, bean=STREAMING, attribute=attribute, kind="COUNTER")
        for name, about, attribute in (
            ("debezium_events_total", "Changes that were read.", "TotalNumberOfEventsSeen"),
            (
                "debezium_events_filtered_total",
                "Changes that were left out.",
                "NumberOfEventsFiltered",
            ),
            (
                "debezium_events_erroneous_total",
                "Changes that could not be processed.",
                "NumberOfErroneousEvents",
            ),
        )
    ),
)
TOLD = (*BROKER, *(told for each in REQUESTS for told in _requests(each)), *CONNECT, *DEBEZIUM)


def agent_rules(wanted: Sequence[Told] = TOLD) -> dict[str, Any]:
    """Return the rules, as the agent reads them."""
    beans = dict.fromkeys(PLACE.sub("*", each.bean) for each in wanted)
    return {"includeObjectNames": list(beans), "rules": [_rule(each) for each in wanted]}


def _rule(told: Told) -> dict[str, Any]:
    domain, _, properties = told.bean.partition(":")
    bean = PLACE.sub("([^,>]+)", ", ".join(properties.split(",")))
    # without the colon it would match longer names, too
    pattern = f"{domain}<{bean}><>{told.attribute}: "
    places = PLACE.findall(told.bean)
    if told.text_as:
        pattern += r"(\w+)"
        places.append(told.text_as)
    labels = dict(told.labels) | {name: f"${group}" for group, name in enumerate(places, 1)}
    return {
        "pattern": pattern,
        "name": told.name,
        "help": told.about,
        "type": told.kind,
        **({"value": 1} if told.text_as else {}),
        **({"valueFactor": told.factor} if told.factor != 1 else {}),
        **({"labels": labels} if labels else {}),
    }
