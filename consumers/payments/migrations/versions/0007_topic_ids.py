"""A position is one of a topic's id, not of its name."""

from consumers.runtime import migrations as runtime

revision = "payments_0007"
down_revision = "payments_0006"


def upgrade() -> None:
    runtime.keep_topic_ids(role="payments")


def downgrade() -> None:
    runtime.forget_topic_ids()
