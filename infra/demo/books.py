"""Whether the books of all services agree: orders and sagas have ended, and money and stock are where they say."""

from collections.abc import Sequence
from datetime import datetime

from cdc.database import SyncConnection

ORDERS = b"""
select format('order %%s is %%s: payment %%s, reservation %%s, shipment %%s',
              o.order_id, o.status, p.status, r.status, s.status)
from customer_order as o
left join payment as p using (order_id)
left join reservation as r using (order_id)
left join shipment as s using (order_id)
cross join lateral (
    select not bool_and(coalesce((line -> 'digital')::boolean, false)) as is_physical
    from jsonb_array_elements(o.lines) as line
) as lines
where o.placed_at >= %(since)s
  and (%(ids)s::uuid[] is null or o.order_id = any(%(ids)s))
  and not case o.status
    when 'confirmed' then
        p.status = 'completed'
        and (not is_physical or (r.status = 'shipped' and s.status = 'created'))
    when 'cancelled' then
        coalesce(p.status, 'none') not in ('pending', 'authorised', 'completed')
        and coalesce(r.status, 'none') not in ('open', 'reserved', 'shipped')
        and coalesce(s.status, 'none') <> 'created'
    else false
end
"""
SAGAS = b"""
select format('the saga of order %%s is %%s', saga_id, status)
from saga_instance
where status not in ('completed', 'compensated')
  and started_at >= %(since)s
  and (%(ids)s::uuid[] is null or saga_id = any(%(ids)s::text[]))
"""
STOCK = b"""
select format('of %s, %s are reserved and %s shipped, by the reservations %s and %s',
              sku, stock.reserved, stock.shipped, coalesce(held.reserved, 0), coalesce(held.shipped, 0))
from stock
left join (
    select item.key as sku,
           sum(item.value::bigint) filter (where status = 'reserved') as reserved,
           sum(item.value::bigint) filter (where status = 'shipped') as shipped
    from reservation, jsonb_each_text(items) as item
    where status in ('reserved', 'shipped')
    group by item.key
) as held using (sku)
where stock.reserved <> coalesce(held.reserved, 0)
   or stock.shipped <> coalesce(held.shipped, 0)
   or on_hand + stock.reserved + stock.shipped <> stocked
"""


TABLES = {
    "customer_order": "orders",
    "payment": "payments",
    "reservation": "inventory",
    "shipment": "shipping",
    "saga_instance": "fulfilment",
    "stock": "inventory",
}
"""Table that is looked at -> the context whose it is."""


def disagreements(
    connection: SyncConnection, *, since: datetime, order_ids: Sequence[str] | None = None
) -> list[str]:
    """Return in which way the books of the services disagree.

    Args:
        connection: May read the tables of all services. Those of another database are temporary copies in the session.
        since: Orders that were placed earlier are left out.
        order_ids: Orders to look at; all when none are given.
    """
    path = ", ".join(dict.fromkeys(TABLES.values()))
    connection.execute("select set_config('search_path', %s, false)", [path])
    values = {"since": since, "ids": None if order_ids is None else list(order_ids)}
    found = [connection.execute(query, values) for query in (ORDERS, SAGAS)]
    return [text for rows in (*found, connection.execute(STOCK)) for (text,) in rows]
