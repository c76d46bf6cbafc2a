-- Statements on the temporary SQLite database in which a comparison keeps what does not fit into memory.

-- name: open
create table record (
    id        blob    not null,
    partition integer not null,
    "offset"  integer not null,
    type      integer not null,
    version   integer,
    key       blob    not null,
    value     blob    not null,
    headers   blob    not null,
    expires_at real
);
create table repeated (record integer primary key);
create table missing (
    id           blob    primary key,
    source       text    not null,
    seq          integer not null,
    occurred_at  text    not null,
    key_digest      blob    not null,
    value_digest    blob    not null,
    headers_digest  blob    not null,
    key          blob    not null,
    value        blob    not null,
    headers      text    not null
) without rowid;
create table finding (
    number integer primary key autoincrement, -- so that none is given twice
    kind   text not null,
    id     text,
    detail text not null
);
create index finding_of_kind on finding (kind, number);

-- name: add_record
insert into record values (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: sort_records
-- holds the type as well, so that questions about consumers are answered from it alone
create index record_by_id on record (id, partition, "offset", type);

-- name: records_by_id
select rowid, id, partition, "offset", key, value, headers
from record order by id, partition, "offset";

-- name: copies
select key, value, headers from record where id = ? order by partition, "offset";

-- name: has_expired
select 1 from record where id = ? and expires_at <= ? limit 1;

-- name: versions
select count(version) from record where id = ?;

-- name: add_repeated
insert into repeated values (?);

-- name: add_missing
insert or ignore into missing values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: take_missing
delete from missing where id = ? returning key_digest, value_digest, headers_digest;

-- name: count_missing
select count(*) from missing;

-- name: first_missing
select min(occurred_at) from missing;

-- name: ends_of_missing
select
    (select id from missing order by source, seq limit 1),
    (select id from missing order by source desc, seq desc limit 1);

-- name: missing_in_order
select id, source, seq, occurred_at, key, value, headers from missing order by source, seq;

-- name: large_missing
-- Those whose parts, with the headers as they are kept here, are larger than that.
select id, source, seq, occurred_at, key, value, headers from missing
where length(key) + length(value) + length(headers) > ?
order by source, seq;

-- name: add_finding
insert into finding (kind, id, detail) values (?, ?, ?);

-- name: count_findings
select kind, count(*) from finding group by kind;

-- name: findings
select id, detail from finding where kind = ? order by number limit ?;

-- name: last_finding
select coalesce(max(number), 0) from finding;

-- name: first_findings
select number, id, detail from finding where kind = ? and number <= ? order by number limit ?;

-- name: drop_findings
delete from finding where kind = ? and number <= ?;

-- name: disordered
-- First occurrences that come behind a later version of their key.
select id, partition, "offset", version, seen
from (
    select
        id, partition, "offset", version,
        max(version) over (
            partition by key order by partition, "offset" rows between unbounded preceding and 1 preceding
        ) as seen
    from record
    where version is not null and rowid not in (select record from repeated)
)
where version <= seen
order by partition, "offset";

-- name: due
-- Messages of the types that a consumer takes, each once, that lie before its position in their partition.
select distinct r.id from record as r join position as p using (partition)
where r."offset" < p.next_offset and r.type in (select type from wanted)
order by r.id;

-- name: waiting
select count(distinct r.id) from record as r left join position as p using (partition)
where r."offset" >= coalesce(p.next_offset, 0) and r.type in (select type from wanted);

-- name: ignored
select count(distinct r.id) from record as r where r.type not in (select type from wanted);

-- name: renew_consumer
drop table if exists position;
drop table if exists wanted;
create table position (partition integer primary key, next_offset integer not null);
create table wanted (type integer primary key);

-- name: add_position
insert into position values (?, ?);

-- name: add_wanted
insert into wanted values (?);
