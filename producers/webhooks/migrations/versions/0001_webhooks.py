"""Endpoints, what is to be delivered to them, and what came of each attempt."""

from alembic import op

revision = "webhooks_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table endpoint (
            endpoint_id     uuid        primary key,
            url             text        not null,
            event_types     text[]      not null,
            filter          jsonb       not null,
            in_order        boolean     not null,
            signing         text        not null check (signing in ('hmac-sha256', 'ed25519')),
            public_key      text,
            key             bytea       not null,
            former_key      bytea,
            former_until    timestamptz,
            disabled_reason text,
            failing_since   timestamptz,
            slowed_until    timestamptz,
            created_at      timestamptz not null default now(),
            check ((signing = 'ed25519') = (public_key is not null)),
            check ((former_key is null) = (former_until is null))
        );
        comment on column endpoint.key is 'sealed; what signs is never in the database as it is';
        comment on column endpoint.disabled_reason is 'set: it is called no more';

        create table delivery (
            delivery_id  bigint      generated always as identity primary key,
            endpoint_id  uuid        not null references endpoint,
            webhook_id   uuid        not null,
            event_type   text        not null,
            key          text        not null,
            event_at     timestamptz not null,
            body         text        not null,
            status       text        not null default 'pending'
                check (status in ('pending', 'delivered', 'failed', 'skipped')),
            attempts     int         not null default 0,
            due_at       timestamptz not null default now(),
            leased_until timestamptz,
            created_at   timestamptz not null default now(),
            finished_at  timestamptz,
            check ((status = 'pending') = (finished_at is null)),
            unique (endpoint_id, webhook_id)
        );
        comment on column delivery.key is 'deliveries of one key and endpoint wait for each other';
        -- what waits for its turn behind another of its key
        create index delivery_lane on delivery (endpoint_id, key, delivery_id) where status = 'pending';
        -- what is due next at an endpoint
        create index delivery_due on delivery (endpoint_id, due_at) where status = 'pending';
        -- what is under way at an endpoint
        create index delivery_leased on delivery (endpoint_id, leased_until) where leased_until is not null;
        -- the pages of an endpoint's log, and what is recovered
        create index delivery_log on delivery (endpoint_id, delivery_id);
        -- what was over long ago
        create index delivery_finished on delivery (finished_at) where finished_at is not null;

        create table attempt (
            delivery_id  bigint      not null references delivery on delete cascade,
            attempted_at timestamptz not null,
            duration_ms  int         not null,
            status       int,
            error        text,
            answer       text        not null,
            primary key (delivery_id, attempted_at),
            check ((status is null) <> (error is null))
        );
        comment on column attempt.answer is 'the beginning of it, as somebody else has written it';

        grant select, insert, update on endpoint to "webhooks";
        grant select, insert, update, delete on delivery to "webhooks";
        grant select, insert on attempt to "webhooks"
        """
    )
