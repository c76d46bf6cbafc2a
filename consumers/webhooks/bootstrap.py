"""Wires the sending half of webhooks together; nothing is built anywhere else."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from cdc.chores import Chore
from cdc.database import Pool
from cdc.due import LOOK_EVERY_S
from consumers.webhooks import handlers
from consumers.webhooks.dispatch import Dispatcher, forget
from consumers.webhooks.settings import OwnSettings
from producers.webhooks.addresses import Policy
from producers.webhooks.sealing import Seal
from schemas.messages.webhooks import EndpointDisabled
from tailrace import Consumer, Outbox, Outside, Table, WorkerSettings

FORGET_EVERY_S = 600.0


class Settings(WorkerSettings, OwnSettings):
    """Settings of the sending half of webhooks."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return Consumer(
        name="webhooks-worker",
        handlers=[handlers.note],
        sends=[EndpointDisabled],
        gather_s=0.1,
        tables={
            "endpoint": Table(
                leave_out=frozenset(
                    "key former_key former_until description deleted_at disabled_reason failing_since slowed_until"
                    " is_swift".split()
                )
            ),
            "delivery": Table(
                key=("endpoint_id", "webhook_id"),
                record_key="key",
                leave_out=frozenset(
                    "delivery_id status attempts due_at leased_until created_at finished_at traceparent".split()
                ),
            ),
        },
        before_a_replay=handlers.QUERIES["endpoints_as_registered"],
        chores=partial(_chores, settings),
    )


def _chores(settings: Settings, pool: Pool, outbox: Outbox) -> Sequence[Chore]:
    dispatcher = Dispatcher(
        pool,
        outbox,
        Policy.of(settings.webhook_receivers, settings.webhook_ports),
        Seal.of_file(settings.webhook_key_file),
        timeout_s=settings.webhook_timeout_s,
    )
    keep = timedelta(days=settings.webhook_keep_days)
    return [
        Chore("sending webhooks", LOOK_EVERY_S, dispatcher.send_due),
        Chore("forgetting webhooks", FORGET_EVERY_S, partial(forget, pool, keep)),
    ]
