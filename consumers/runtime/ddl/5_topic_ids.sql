alter table consumer_offset
    add column topic_id     text,
    add column lost         bigint not null default 0 check (lost >= 0),
    add column reset_at     timestamptz,
    add column reset_reason text,
    add check ((reset_at is null) = (reset_reason is null));
comment on column consumer_offset.topic_id is
    'Kafka''s id of the topic that the position is in; null for a position from before ids were kept';
comment on column consumer_offset.lost is
    'records that were deleted before they were read, as far as known, since somebody last looked into it';
comment on column consumer_offset.reset_reason is
    'why the worker last went on elsewhere than at its position; null when nobody has to look into it';
