-- Statements of the payments service.

-- name: insert_payment
insert into payment (payment_id, order_id, currency, amount, status, decline_reason, settled_at)
values (
    %(payment_id)s, %(order_id)s, %(currency)s, %(amount)s, %(status)s, %(decline_reason)s, %(settled_at)s
);
