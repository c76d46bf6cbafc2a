-- Statements of the benchmark `sagas`.

-- name: confirmed
-- Ids of orders grow with time.
select count(*) from orders.customer_order where order_id >= %(first)s and status = 'confirmed';

-- name: completed
select count(*) from fulfilment.saga_instance
where saga_id >= %(first)s::text and status = 'completed';

-- name: enqueue
select count(dbos.enqueue_workflow(
    'fulfil', 'sagas',
    array[to_json(gen_random_uuid()), to_json('article-' || number %% %(articles)s::int), to_json(2), to_json('9.00'::text)]
))
from generate_series(1, %(count)s::int) as number;

-- name: succeeded
select count(*) from dbos.workflow_status where status = 'SUCCESS';

-- name: stock
insert into inventory.stock (sku, stocked, on_hand, reserved, shipped)
select 'article-' || number, 1000000, 1000000, 0, 0 from generate_series(0, %(articles)s::int - 1) as number;

-- name: last_entry
select coalesce(max(number), 0) from fulfilment.saga_log;

-- name: replies
-- How many came since, and in how many transactions.
select count(*), count(distinct xmin::text) from fulfilment.saga_log
where what in ('answered', 'refused') and number > %(since)s;

-- name: transactions
-- How many have written until now, in all databases of the server.
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
