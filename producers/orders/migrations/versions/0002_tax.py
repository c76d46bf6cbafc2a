"""Lines may say their tax: both its rate and its amount, or neither."""

from cdc.migrations import operations

revision = "orders_0002"
down_revision = "orders_0001"
SUPERSEDES = tuple(
    f"orders_{number:04}" for number in range(3, 7)
)  # of tables that all services share

REPLACE = r"""
-- Rows of before have no tax and pass as they are.
alter table customer_order
    drop constraint customer_order_lines,
    add constraint customer_order_lines check (
        case jsonb_typeof(lines) when 'array' then
            jsonb_array_length(lines) between 1 and 500
            and jsonb_array_length(lines) = jsonb_array_length(jsonb_path_query_array(
                lines,
                'strict $[*] ? (
                    @.sku like_regex "^.{1,128}$" flag "s"
                    && @.quantity >= 1 && @.quantity <= 1000000
                    && @.unit_price like_regex "^[0-9]{1,15}([.][0-9]{1,4})?$"
                    && (
                        !exists(@.keyvalue() ? (@.key starts with "tax"))
                        || @.tax_rate like_regex "^(0([.][0-9]{1,6})?|1)$"
                        && @.tax like_regex "^[0-9]{1,15}([.][0-9]{1,4})?$"
                    )
                )'
            ))
        else false end
    );

comment on column customer_order.lines is
    'What was ordered: array of {sku, quantity, unit_price, tax_rate, tax}, amounts as exact decimal strings; the two '
    'of the tax are absent where the order said nothing of it. Kept in the row because lines are written once, with '
    'the order, and only ever read with it.';
"""


def upgrade() -> None:
    operations.execute(REPLACE)
