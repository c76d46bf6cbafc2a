"""Checks of the pipeline: topics, schemas, connector, consumer groups, dead letters, and a message through it."""

from collections.abc import Callable
from functools import cache, partial

from cdc import connector
from cdc.kafka import new_admin
from cdc.relay.backlog import situation
from cdc.topics import behind
from consumers.runtime.lag import TopicLag
from consumers.runtime.parked.reading import ParkedMessages
from infra import capture, pipeline
from infra.deployment import Capture, Deployment, Publisher, Shard
from infra.drift.registry import id_differences, rule_differences
from infra.drift.topics import topic_differences
from infra.operations.doctor.captures import of_each
from infra.operations.doctor.check import Check, Trouble
from infra.operations.doctor.differences import require_none
from infra.operations.lag import open_lags
from infra.role_access import open_roles
from infra.services import CONSUMER_ROLES, RELAY, WORKERS
from schemas.catalogue import catalogue
from schemas.contracts import canonical
from schemas.registry import RegistryUnavailableError
from schemas.registry_subjects import Subjects

WORRYING_LAG = 10_000
WORRYING_AGE_S = 60.0

Measure = Callable[[], dict[str, list[TopicLag]]]
"""Consumer -> how far it is behind in each of its topics."""


def _topics(deployment: Deployment) -> str:
    require_none(topic_differences(deployment))
    return ", ".join(catalogue().topics)


def _replicas(deployment: Deployment) -> str:
    if lacking := behind(deployment.kafka_bootstrap):
        listed = ", ".join(
            f"{partitions} partitions on broker {broker}"
            for broker, partitions in sorted(lacking.items())
        )
        raise Trouble(
            f"not in step: {listed}",
            "start the broker that is down (locally `make up`); one that runs catches up by itself",
        )
    return f"each partition is on {deployment.kafka_replication} brokers or more, all in step"


def _schemas(deployment: Deployment) -> str:
    try:
        require_none(id_differences(deployment))
        with Subjects.open(deployment.registry) as subjects:
            unpublished = [
                name
                for name in catalogue().messages
                if subjects.find(name, canonical(name)) is None
            ]
        rules = rule_differences(deployment)
    except RegistryUnavailableError as error:
        raise Trouble(str(error), "see `make logs SERVICE=registry`") from error
    if unpublished:
        raise Trouble(f"not published: {', '.join(unpublished)}", "run `make schema-publish`")
    require_none(rules)
    return f"{len(catalogue().messages)} published"


def _connector(deployment: Deployment, of: Shard) -> str:
    state = connector.status(deployment.connect_url, of.connector)
    if not state.is_running:
        told, cause = f"{state.connector}, its task {state.task}", state.cause
        if cause is None:
            raise Trouble(told, "run `make up`")
        raise Trouble(f"{told}: {cause.text}", cause.advice or "see `tailrace connector status`")
    if in_the_way := capture.in_the_way(deployment, of):
        told = "; ".join(obstacle.told for obstacle in in_the_way)
        raise Trouble(f"stands still: {told}", in_the_way[0].remedy)
    held = connector.show(deployment.connect_url, of.connector)
    if held != capture.rendered(deployment, of):
        raise Trouble("runs with other settings than these", "run `tailrace connector apply`")
    return "running, and so is its task"


def _groups(deployment: Deployment, measure: Measure) -> str:
    admin = new_admin(deployment.kafka_bootstrap)
    if unstable := pipeline.unstable_groups(admin):
        listed = ", ".join(f"{name} ({state})" for name, state in unstable.items())
        raise Trouble(f"not at work: {listed}", "run `tailrace restart` with its name")
    lags = measure()
    listed = ", ".join(
        f"{name} {sum(lag.messages or 0 for lag in of)}" for name, of in lags.items()
    )
    behind = [lag for of in lags.values() for lag in of if _is_worrying(lag)]
    if behind:
        raise Trouble(f"far behind, messages to go: {listed}", "see `tailrace lag`")
    return f"at work, messages to go: {listed}"


def _is_worrying(lag: TopicLag) -> bool:
    return (lag.messages or 0) > WORRYING_LAG or (lag.seconds or 0.0) > WORRYING_AGE_S


def _positions(measure: Measure) -> str:
    resets = [
        f"{name}: {reset}"
        for name, lags in measure().items()
        for lag in lags
        for reset in lag.resets
    ]
    if resets:
        more = f" and {len(resets) - 1} more" if len(resets) > 1 else ""
        raise Trouble(
            f"{resets[0]}{more}",
            "see `tailrace lag`; `tailrace outbox verify --topic TOPIC` names what was lost, and "
            "`tailrace lag CONSUMER --settle` ends this",
        )
    return "each where Kafka has what comes next"


def _lags(deployment: Deployment) -> dict[str, list[TopicLag]]:
    names = [worker.name for worker in WORKERS]
    with open_lags(deployment) as lags:
        measured = lags.measure(names)
    return {name: [lag for lag in measured if lag.consumer == name] for name in names}


def _dead_letters(deployment: Deployment) -> str:
    names = {worker.name for worker in WORKERS}
    with open_roles(deployment, CONSUMER_ROLES) as connections:
        dead = {
            consumer: count
            for connection in connections.values()
            for consumer, count in ParkedMessages(connection).dead().items()
            if consumer in names
        }
    if dead:
        listed = ", ".join(f"{consumer} {count}" for consumer, count in sorted(dead.items()))
        raise Trouble(
            f"wait for somebody to decide: {listed}", "run `tailrace parked list --status dead`"
        )
    return "none"


def _canary(deployment: Deployment) -> str:
    return (
        f"a message took {pipeline.send_canary(deployment) * 1000:.0f} ms from commit to consumer"
    )


def _backlog(of: Capture) -> str:
    found = situation(of.url(RELAY))
    if not found.shards:
        raise Trouble("has not been given the outboxes", "run `make up PUBLISHER=relay`")
    if free := [shard.number for shard in found.shards if shard.holder is None]:
        listed = ", ".join(map(str, free))
        raise Trouble(f"nobody holds the shards {listed}", "see `make logs SERVICE=relay`")
    if found.set_aside:
        told = "; ".join(each.told for each in found.set_aside)
        raise Trouble(told, found.set_aside[0].remedy)
    waits = "" if found.oldest_s is None else f", the oldest for {found.oldest_s:.1f} s"
    if (found.oldest_s or 0) > WORRYING_AGE_S:
        raise Trouble(
            f"is behind: {found.pending} to publish{waits}", "see `tailrace relay status`"
        )
    return f"{len(found.shards)} shards held, {found.pending} to publish{waits}"


def pipeline_checks(
    deployment: Deployment, publisher: Publisher, measure: Measure | None = None
) -> tuple[Check, ...]:
    """Return the checks; how far consumers are behind is measured once for those that want to know."""
    if publisher == "relay":
        publishing = Check(
            "outbox backlog",
            partial(of_each, deployment.captures, _backlog),
            needs=("postgres", "relay"),
        )
        needs: tuple[str, ...] = ("relay", "outbox backlog", "topics", "schemas")
    else:
        publishing = Check(
            "connector",
            partial(of_each, deployment.shards, partial(_connector, deployment)),
            needs=("connect", "kafka", "postgres"),
        )
        needs = ("connector", "replication slot", "topics", "schemas", "publication")
    measure = measure or cache(partial(_lags, deployment))
    return (
        Check("topics", partial(_topics, deployment), needs=("kafka",)),
        *(
            [Check("replicas", partial(_replicas, deployment), needs=("kafka",))]
            if deployment.kafka_replication > 1
            else []
        ),
        Check("schemas", partial(_schemas, deployment), needs=("registry",)),
        publishing,
        Check(
            "consumer groups",
            partial(_groups, deployment, measure),
            needs=("postgres", "kafka", *(worker.name for worker in WORKERS)),
        ),
        Check("consumer positions", partial(_positions, measure), needs=("postgres", "kafka")),
        Check("dead letters", partial(_dead_letters, deployment), needs=("postgres",)),
        Check("pipeline", partial(_canary, deployment), needs=needs),
    )
