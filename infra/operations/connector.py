"""The connector of each shard: how it and its slot stand, and recovering a slot that was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cdc import connector as debezium
from cdc.database import connect
from cdc.reconciliation import Progress
from cdc.recovery import Capture as LostCapture
from cdc.recovery import Recovered, Tell, recover, rehearse
from cdc.shards import ALL
from cdc.slot import Slot
from cdc.slot.health import Diagnosis
from cdc.slot.obstacles import Obstacle
from infra.capture import apply_connector, examine, in_the_way, rendered, require_slot, slot
from infra.deployment import Deployment, Shard
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.patience import Patience
from infra.pipeline import apply_connectors
from infra.publishing import require_connector
from infra.services import CAPTURE, OWNER
from infra.sharding.marks import ShardsError, dealt, require_shards
from infra.sharding.settling import conclude

RESTART_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorReport:
    """How a connector stands."""

    name: str
    capture: str
    state: debezium.ConnectorStatus
    slot: Slot | None
    diagnosis: Diagnosis
    obstacles: Sequence[Obstacle]
    differences: Sequence[Difference]

    @property
    def is_well(self) -> bool:
        return self.state.is_running and not (
            self.diagnosis.ailment or self.obstacles or self.differences
        )


def reports(deployment: Deployment) -> list[ConnectorReport]:
    """Return how each connector stands, the first one of the main capture first."""
    return [_report(require_connector(deployment), each) for each in deployment.shards]


def _report(deployment: Deployment, shard: Shard) -> ConnectorReport:
    state = debezium.status(deployment.connect_url, shard.connector)
    diagnosis, obstacles = examine(deployment, shard), in_the_way(deployment, shard)
    with connect(shard.capture.url(OWNER), autocommit=True) as connection:
        differing = publication_differences(connection, shard.capture)
    return ConnectorReport(
        name=shard.connector,
        capture=shard.name,
        state=state,
        slot=slot(shard),
        diagnosis=diagnosis,
        obstacles=obstacles,
        differences=differing,
    )


def apply(deployment: Deployment) -> Mapping[str, str]:
    """Bring each connector to its configuration and wait until it runs; return what that took, by its name."""
    require_connector(deployment)
    require_shards(deployment)
    return {each.connector: done for each, done in apply_connectors(deployment)}


def configured(deployment: Deployment, name: str) -> Mapping[str, str]:
    """Return the configuration of a shard's connector that would be applied; it refers to secrets and holds none."""
    return rendered(deployment, deployment.find_shard(name))


def held(deployment: Deployment, name: str) -> Mapping[str, str] | None:
    """Return the configuration that Connect holds of a shard's connector; None when it has no such connector."""
    connector = deployment.find_shard(name).connector
    return debezium.show(require_connector(deployment).connect_url, connector)


def restart(deployment: Deployment) -> Mapping[str, str]:
    """Restart each connector and its task, and wait until they run; a slot that rows would be lost with is refused."""
    url = require_connector(deployment).connect_url
    require_shards(deployment)
    for shard in deployment.shards:
        require_slot(deployment, shard)
        debezium.restart(url, shard.connector)
        debezium.wait_until_running(url, shard.connector, RESTART_TIMEOUT_S, Patience().look)
    return {each.connector: "restarted" for each in deployment.shards}


@dataclass(frozen=True, slots=True)
class Ailing:
    """What is wrong with the slot, and how the connector stands."""

    diagnosis: Diagnosis
    state: debezium.ConnectorStatus


def diagnose(deployment: Deployment, shard: Shard) -> Ailing:
    state = debezium.status(require_connector(deployment).connect_url, shard.connector)
    return Ailing(examine(deployment, shard), state)


def worst(deployment: Deployment) -> Shard:
    """Return the first shard that something is wrong with; the first one of all when nothing is."""
    require_connector(deployment)
    ailing = (each for each in deployment.shards if examine(deployment, each).ailment)
    return next(ailing, deployment.shards[0])


def recover_slot(
    deployment: Deployment,
    shard: Shard,
    since: datetime | None,
    progress: Progress,
    tell: Tell,
    *,
    leave_out: bool = False,
    dry_run: bool = False,
) -> tuple[Recovered, Sequence[Shard]]:
    """Make a new slot, and publish again what Kafka lacks of rows written since; or say what that would be.

    Returns what was published, and the shards that go on by that.

    Rows that no broker takes stop it, unless they are to be left out. While the number of shards is being changed, the
    first one is recovered, and what Kafka lacks of all keys is published: who carries which is not settled.
    """
    capture, found = shard.capture, dealt(shard.capture)
    keys, changing = shard.keys, found if found and found.until else None
    if changing is None:
        require_shards(deployment)
    elif keys.number:
        raise ShardsError(
            f"The number of shards of {capture.name} is being changed, and {shard.name} publishes nothing before that "
            f"has come to its end: `tailrace connector recover --capture {capture.name} --force` sees to all."
        )
    else:
        keys, capture = ALL, replace(capture, shard_count=changing.count)
        shard = capture.shards[0]
    lost = LostCapture(
        url=capture.url(CAPTURE),
        slot=shard.slot,
        connector=shard.connector,
        connect_url=deployment.connect_url,
        config=rendered(deployment, shard),
        bootstrap=deployment.kafka_bootstrap,
        outboxes=capture.outbox_urls(),
        keys=keys,
    )
    if dry_run:
        return rehearse(lost, since, progress), ()
    recovered = recover(lost, since, progress, tell, leave_out=leave_out)
    if not changing:
        return recovered, (shard,)
    conclude(deployment, capture, changing)
    for each in capture.shards:
        apply_connector(deployment, each)
    return recovered, capture.shards
