"""Payments can be held, given back, and undone before they are done; each counts its events."""

from alembic import op

revision = "payments_0008"  # revisions up to 7 are of an earlier numbering, see SUPERSEDES
down_revision = "payments_0001"


def upgrade() -> None:
    op.execute(
        """
        alter table payment
            alter column currency drop not null,
            alter column amount drop not null,
            drop constraint payment_status_check,
            drop constraint payment_check,
            add constraint payment_status check (
                status in ('pending', 'failed', 'authorised', 'completed', 'voided', 'refunded', 'withdrawn')
            ),
            add constraint payment_declined check ((status = 'failed') = (decline_reason is not null)),
            add constraint payment_money check (
                status = 'withdrawn' or (currency is not null and amount is not null)
            ),
            add column version bigint not null default 1;  -- payments of before have told of themselves once
        alter table payment alter column version drop default;
        grant update (status, decline_reason, settled_at, version) on payment to payments
        """
    )
