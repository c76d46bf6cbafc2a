"""Accounts of users, and what they have earned."""

from alembic import op

revision = "loyalty_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table account (
            user_id      uuid        primary key,
            signed_up_at timestamptz,
            points       bigint      not null default 0 check (points >= 0),
            updated_at   timestamptz
        );
        comment on column account.signed_up_at is 'null as long as only orders tell of this customer';
        comment on column account.points is 'one for each order that was confirmed';
        grant select, insert, update on account to loyalty
        """
    )
