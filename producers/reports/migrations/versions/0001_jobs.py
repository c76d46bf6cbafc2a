"""Jobs, what they have worked out so far, and what they have made."""

from cdc.migrations import operations

revision = "reports_0001"
down_revision = None

CREATE = r"""
create table job (
    job_id      uuid        not null,
    request     jsonb       not null,
    status      text        not null default 'queued',
    generation  integer     not null default 0,
    attempts    integer     not null default 0,
    due_at      timestamptz,
    done        integer     not null default 0,
    total       integer     not null,
    created_at  timestamptz not null default clock_timestamp(),
    started_at  timestamptz,
    finished_at timestamptz,
    expires_at  timestamptz,
    holds       boolean     not null default true,
    reason      text,
    media_type  text,
    bytes       bigint,
    digest      text,
    constraint job_pkey primary key (job_id),
    constraint job_status check (status in ('queued', 'running', 'done', 'failed', 'cancelled')),
    constraint job_progress check (done between 0 and total and total >= 1),
    constraint job_attempts check (attempts between 0 and generation),
    constraint job_running check (status <> 'running' or (started_at is not null and due_at is not null)),
    constraint job_finished check (
        (status in ('done', 'failed', 'cancelled')) = (finished_at is not null)
        and (finished_at is null) = (expires_at is null)
    ),
    constraint job_failed check ((status = 'failed') = (reason is not null)),
    constraint job_result check (
        (status = 'done') = (bytes is not null) and (bytes is null) = (digest is null)
        and (bytes is null) = (media_type is null)
    )
);
comment on table job is 'What somebody asked for that takes longer than an answer may.';
comment on column job.generation is
    'Rises each time that a worker takes the job up. Whatever a worker writes it writes under its own, and only while '
    'that is the newest: one that was frozen meanwhile changes nothing any more.';
comment on column job.attempts is 'How often it was taken up since it last came on.';
comment on column job.due_at is
    'When a worker may take it up. Nothing until its command has come; while one works on it, the end of the lease.';
comment on column job.holds is 'Whether there may be rows of job_part or job_chunk that are to go.';
create index job_due on job (due_at) where status in ('queued', 'running');
comment on index job_due is 'Serves the worker that looks for what is due.';
create index job_expiring on job (expires_at) where holds;
comment on index job_expiring is 'Serves the worker that takes away what has expired.';
create index job_to_forget on job (finished_at) where not holds;
comment on index job_to_forget is 'Serves the worker that forgets old jobs.';

create table job_part (
    job_id uuid    not null references job,
    number integer not null,
    rows   bytea   not null,
    constraint job_part_pkey primary key (job_id, number)
);
comment on table job_part is
    'Rows of one day of a report as JSON lines, kept until the report is put together: who takes over goes on behind '
    'the last one.';

create table job_chunk (
    job_id     uuid    not null references job,
    generation integer not null,
    number     integer not null,
    content    bytea   not null,
    constraint job_chunk_pkey primary key (job_id, generation, number)
);
comment on table job_chunk is 'What a job has made, in pieces that are read one at a time.';
alter table job_chunk alter column content set storage external;

grant select, insert, update, delete on job to reports;
grant select, insert, delete on job_part, job_chunk to reports;
"""


def upgrade() -> None:
    operations.execute(CREATE)
