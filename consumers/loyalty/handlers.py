"""What loyalty does about sign-ups and orders, inside the transaction it is given."""

from collections.abc import Sequence

from producers.loyalty import handlers
from schemas.customers import user_id_in
from schemas.messages.as_read_by_loyalty_worker import UserSignedUp
from schemas.messages.orders import OrderConfirmed
from tailrace import BulkWork, Received, handles_in_bulk


@handles_in_bulk(UserSignedUp)
async def open_accounts(received: Sequence[Received[UserSignedUp]], work: BulkWork) -> None:
    signed_up_at = {each.message.user_id: each.message.signed_up_at for each in received}
    await handlers.open_accounts(signed_up_at, work.connection)


@handles_in_bulk(OrderConfirmed)
async def add_points(received: Sequence[Received[OrderConfirmed]], work: BulkWork) -> None:
    """Add points for the orders of users. Customers may be called anything; only users have ids like these."""
    orders = [
        (user_id, each.message.confirmed_at)
        for each in received
        if (user_id := user_id_in(each.message.customer_id)) is not None
    ]
    if orders:
        await handlers.add_points(orders, work.connection)
