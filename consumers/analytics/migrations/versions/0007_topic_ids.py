"""A position is one of a topic's id, not of its name."""

from consumers.runtime import migrations as runtime

revision = "analytics_0007"
down_revision = "analytics_0006"


def upgrade() -> None:
    runtime.keep_topic_ids(role="analytics")


def downgrade() -> None:
    runtime.forget_topic_ids()
