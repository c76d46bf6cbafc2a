-- Sagas that run once more from a step on: what was remembered when each step began, and how earlier runs ended.

alter table saga_log add column state jsonb;
comment on column saga_log.state is 'what the saga remembered when the step began; of other lines null';

alter table saga_instance add column generations int not null default 0;
comment on column saga_instance.generations is
    'how many generations of deadlines its earlier runs have used up; this run counts from there';

create table saga_run (
    saga       text        not null,
    saga_id    text        not null,
    run        int         not null,
    version    int         not null,
    status     text        not null,
    reason     text        not null,
    state      jsonb       not null,
    steps      jsonb       not null,
    started_at timestamptz not null,
    ended_at   timestamptz not null,
    primary key (saga_id, saga, run)
);
comment on table saga_run is 'runs that were forked, as they ended; the one that runs or ran last is in saga_instance';
grant select, insert, delete on saga_run to :role;

alter table saga_action add column newest boolean not null default false;
comment on column saga_action.newest is 'to fork with the newest version, and not with the one that it ran with';
alter table saga_action drop constraint saga_action_verb_check;
alter table saga_action add constraint saga_action_verb_check
    check (verb in ('resume', 'retry', 'cancel', 'kill', 'skip', 'fork'));
