"""Customers of orders: anybody, under whatever name they are known by; a user is one by their id."""

from uuid import UUID


def user_id_in(customer_id: str | None) -> UUID | None:
    """Return the id of the user that a customer may be; None of one that can be no user.

    Only the usual form of an id counts, so that each user is one customer.
    """
    try:
        user_id = UUID(customer_id or "")
    except ValueError:
        return None
    return user_id if str(user_id) == customer_id else None
