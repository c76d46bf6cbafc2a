"""Users, each under an e-mail address of their own."""

from alembic import op

revision = "users_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table app_user (
            user_id      uuid        primary key,
            email        text        not null,
            signed_up_at timestamptz not null
        );
        create unique index app_user_email on app_user (lower(email));
        grant select, insert on app_user to "users"
        """
    )
