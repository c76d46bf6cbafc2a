-- Messages that did not take effect, and those of their keys that wait behind them.

-- One row a key that is held up. Whoever adds to a sequence or takes from it locks this row first.
create table parked_sequence (
    sequence_id     bigint      generated always as identity primary key,
    consumer        text        not null,
    topic           text        not null,
    key             bytea,
    status          text        not null check (status in ('retrying', 'dead')),
    attempts        int         not null check (attempts >= 0),
    next_attempt_at timestamptz,
    parked_at       timestamptz not null default clock_timestamp(),
    constraint parked_sequence_key unique (consumer, topic, key),
    constraint parked_sequence_has_a_next_attempt check ((status = 'retrying') = (next_attempt_at is not null))
);
comment on column parked_sequence.key is 'record key; records without one have no order, and each is a sequence of its own';
comment on column parked_sequence.attempts is 'how often its first message has failed';
-- serves the retrier, which looks for what is due
create index parked_sequence_due on parked_sequence (consumer, next_attempt_at) where status = 'retrying';

create table parked_message (
    parked_id      bigint      generated always as identity primary key,
    sequence_id    bigint      not null references parked_sequence,
    consumer       text        not null,
    topic          text        not null,
    partition      int         not null,
    "offset"       bigint      not null,
    recorded_at    timestamptz not null,
    message_id     uuid,
    type           text,
    header_names   text[]      not null,
    header_values  bytea[]     not null check (cardinality(header_values) = cardinality(header_names)),
    value          bytea,
    original_value bytea,
    edited         boolean     not null default false,
    reason         text        not null
        check (reason in ('failed', 'undecodable', 'malformed', 'unknown_type', 'too_old', 'behind')),
    error_class    text        not null default '',
    error_text     text        not null default '',
    traceback      text        not null default '',
    parked_at      timestamptz not null default clock_timestamp(),
    failed_at      timestamptz,
    constraint parked_message_once unique nulls not distinct (consumer, topic, partition, "offset", message_id),
    constraint parked_message_keeps_the_original check (edited or original_value is null)
);
comment on column parked_message.original_value is 'value as delivered, when it was edited since';
-- serves whoever takes the messages of a sequence in their order
create index parked_message_in_order on parked_message (sequence_id, parked_id);

-- What people did about parked messages. A row is a fact: added, never changed.
create table parked_action (
    action_id     bigint      generated always as identity primary key,
    at            timestamptz not null default clock_timestamp(),
    action        text        not null check (action in ('retry', 'edit', 'skip')),
    actor         text        not null check (actor <> ''),
    why           text        not null check (why <> ''),
    consumer      text        not null,
    topic         text        not null,
    partition     int         not null,
    "offset"      bigint      not null,
    recorded_at   timestamptz not null,
    key           bytea,
    message_id    uuid,
    type          text,
    header_names  text[]      not null,
    header_values bytea[]     not null check (cardinality(header_values) = cardinality(header_names)),
    value         bytea,
    new_value     bytea,
    reason        text        not null,
    error_class   text        not null,
    error_text    text        not null,
    traceback     text        not null,
    constraint parked_action_has_a_new_value check ((action = 'edit') = (new_value is not null))
);
comment on column parked_action.value is
    'value before it was edited or skipped, so that a skipped message is kept here whole; of a retry it is not kept';
-- serves the history of one message
create index parked_action_of_message on parked_action (consumer, topic, partition, "offset");

grant select, insert, update, delete on parked_sequence, parked_message to :role;
grant select, insert on parked_action to :role;
