"""Topics and their settings held against the catalogue."""

from cdc.topic_settings import (
    BROKER,
    IN_SYNC,
    PARTITIONS,
    REPLICAS,
    SettingDifference,
    setting_differences,
)
from cdc.topics import missing
from infra.deployment import Deployment
from infra.drift.difference import Difference

APPLY = "run `tailrace topics apply`"
FEWER = (
    "run `tailrace topics apply --add-partitions` once `tailrace lag` shows that nothing is unread: keys move by that, "
    "and what is unread of a key may be read after what is written later"
)
MORE = (
    "no command takes partitions away: declare their number in schemas/catalogue.toml; keys have moved when they were "
    "added, so that messages of one key that were unread then may have been handled out of order"
)
RESTART = "run `make down`, then `make up`"
FEWER_COPIES = "no command of ours moves replicas: `kafka-reassign-partitions.sh` does, while everything goes on"
FEWER_IN_SYNC = (
    "no command of ours sets this for all brokers: `kafka-configs.sh --entity-type brokers --entity-default --alter "
    "--add-config min.insync.replicas=...` does"
)
FOR_ALL = (
    "no command takes back what is set for all brokers: `kafka-configs.sh --entity-type brokers "
    "--entity-default --delete-config` does"
)


def topic_differences(deployment: Deployment) -> list[Difference]:
    absent = [
        Difference(thing=f"topic {topic.name}", declared="there", actual="missing", remedy=APPLY)
        for topic in missing(deployment.kafka_bootstrap)
    ]
    found = setting_differences(deployment.kafka_bootstrap, deployment.kafka_replication)
    return absent + [_difference(each) for each in found]


def _difference(found: SettingDifference) -> Difference:
    place = found.place if found.place == BROKER else f"topic {found.place}"
    return Difference(
        thing=f"{place}: {found.name}",
        declared=found.declared or "not set",
        actual=found.actual or "not set",
        remedy=_remedy(found),
    )


def _remedy(found: SettingDifference) -> str:
    if found.mend == "settings":
        return APPLY
    if found.name == REPLICAS:
        return FEWER_COPIES
    if found.name == IN_SYNC:
        return FEWER_IN_SYNC
    if found.name != PARTITIONS:
        return RESTART if found.declared else FOR_ALL
    return FEWER if found.mend == "partitions" else MORE
