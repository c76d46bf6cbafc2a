"""The projection of sign-ups per day."""

from alembic import op

revision = "analytics_0008"
down_revision = "analytics_0001"


def upgrade() -> None:
    op.execute(
        """
        create table sign_ups_per_day (
            day       timestamptz primary key,
            signed_up bigint      not null check (signed_up >= 0)
        );
        comment on column sign_ups_per_day.day is 'its beginning, by UTC';
        grant select, insert, update on sign_ups_per_day to analytics
        """
    )
