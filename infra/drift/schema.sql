-- What a schema is made of, in words that are the same for a copy of it under another name.

-- name: parts
-- Asked with search_path set to the schema. Partitions by day come and go, and are looked after by retention. What the relay is
-- granted, and whether its trigger is on, changes with who publishes.
with declared as (
    select c.oid, c.relname, c.relowner, c.relacl, c.relkind, c.relpersistence, c.relreplident, c.relrowsecurity,
        c.relforcerowsecurity, c.relispartition
    from pg_class as c
    where c.relnamespace = %(schema)s::regnamespace and c.relkind in ('r', 'p') and c.relname !~ '\d{6}'
),
functions as (
    select p.oid, p.proname, p.proowner, p.proacl, pg_get_functiondef(p.oid) as definition
    from pg_proc as p where p.pronamespace = %(schema)s::regnamespace and p.prokind = 'f'
)
select 'table' as kind, relname as owner, '' as name, case relkind when 'p' then 'partitioned' else 'plain' end as value
    from declared
union all
select 'owner', relname, '', relowner::regrole::text from declared
union all
select 'persistence', relname, '', 'in the WAL' from declared where relpersistence = 'p'
union all
select 'row level security', relname, '', 'on' from declared where relrowsecurity or relforcerowsecurity
union all
select 'replica identity', relname, '', relreplident::text from declared where relreplident <> 'd'
union all
select 'partition', d.relname, child.relname, pg_get_expr(child.relpartbound, child.oid)
    from pg_inherits join declared as d on d.oid = inhparent join pg_class as child on child.oid = inhrelid
    where child.relname !~ '\d{6}'
union all
select 'grant', relname, grantee::regrole::text || ' ' || privilege_type, 'granted'
    from declared, aclexplode(coalesce(relacl, acldefault('r', relowner)))
    where grantee::regrole::text <> %(relay)s
union all
select 'grant', relname, grantee::regrole::text || ' ' || privilege_type || ' (' || quote_ident(attname) || ')', 'granted'
    from declared join pg_attribute on attrelid = oid, aclexplode(attacl)
    where attnum > 0 and not attisdropped
union all
select 'column', relname, attname,
    format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
        || case when attidentity <> '' and not relispartition then ' identity' else '' end
    from declared join pg_attribute on attrelid = declared.oid where attnum > 0 and not attisdropped
union all
select 'default', relname, attname, pg_get_expr(adbin, adrelid)
    from declared join pg_attribute on attrelid = declared.oid join pg_attrdef on adrelid = attrelid and adnum = attnum
union all
select 'constraint', relname, conname,
    pg_get_constraintdef(k.oid) || case when k.convalidated and k.conenforced then '' else ' not checked' end
    from declared join pg_constraint as k on conrelid = declared.oid where contype <> 'n'
union all
select 'index', declared.relname, i.relname,
    replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') || case when indisvalid then '' else ' (invalid)' end
    from declared join pg_index on indrelid = declared.oid join pg_class as i on i.oid = indexrelid
    where not exists (select from pg_constraint where conindid = indexrelid)
union all
select 'trigger', relname, tgname, pg_get_triggerdef(t.oid) || case tgenabled when 'O' then '' else ' ' || tgenabled::text end
    from declared join pg_trigger as t on tgrelid = declared.oid
    where not tgisinternal and tgenabled <> 'D' and tgname <> 'outbox_notify'
union all
select 'rule', relname, rulename, pg_get_ruledef(r.oid)
    from declared join pg_rewrite as r on ev_class = declared.oid where ev_enabled <> 'D'
union all
select 'function', '', proname, definition from functions
union all
select 'function owner', '', proname, proowner::regrole::text from functions
union all
select 'execute', proname, grantee::regrole::text, 'granted'
    from functions, aclexplode(coalesce(proacl, acldefault('f', proowner)))
union all
select 'use', '', grantee::regrole::text || ' ' || privilege_type, 'granted'
    from pg_namespace, aclexplode(nspacl)
    where oid = %(schema)s::regnamespace and grantee::regrole::text <> %(relay)s;

