"""A position is one of a topic's id, not of its name."""

from consumers.runtime import migrations as runtime

revision = "orders_worker_0004"
down_revision = "orders_worker_0003"


def upgrade() -> None:
    runtime.keep_topic_ids(role="orders")


def downgrade() -> None:
    runtime.forget_topic_ids()
