"""Waiting for workers that have just been started."""

import threading
from collections.abc import Sequence

from cdc.kafka import new_admin
from infra.local.probe import wait_until
from infra.pipeline import GROUPS, unstable_groups
from infra.settings import Settings


def wait_for_groups(
    settings: Settings, cancelled: threading.Event, groups: Sequence[str] = GROUPS
) -> str:
    """Wait until the consumer groups hold all partitions of their topics; return how many there are."""
    admin = new_admin(settings.kafka_bootstrap)
    wait_until(
        f"these workers do not hold their partitions: {', '.join(groups)} (see `tailrace logs {groups[0]}`)",
        lambda: not unstable_groups(admin, groups),
        timeout_s=60.0,
        interval_s=0.2,
        cancelled=cancelled,
    )
    return f"{len(groups)} stable"
