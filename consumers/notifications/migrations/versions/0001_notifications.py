"""Mails that were written."""

from alembic import op

revision = "notifications_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table mailbox (
            message_id text        primary key,
            user_id    uuid        not null,
            recipient  text        not null,
            subject    text        not null,
            body       text        not null,
            written_at timestamptz not null
        );
        comment on column mailbox.message_id is 'the Message-ID of the mail; it follows from the message behind it';
        comment on column mailbox.recipient is 'personal';
        grant select, insert on mailbox to "notifications"
        """
    )
