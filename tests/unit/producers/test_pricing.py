"""What a customer's standing does to an order, and what users are asked for it."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc.context import MessageContext
from cdc.deadline import Deadline, within
from cdc.ids import new_id
from cdc.work import utc_now
from producers.grpc.client import open_channel
from producers.loyalty.domain import POINTS, Account, Tier
from producers.orders.domain import DISCOUNTS, Order, PlaceOrder, Standing
from producers.orders.users_client import FALLBACK, UsersClient
from schemas.customers import user_id_in
from schemas.messages.orders import OrderCreated, OrderLine
from schemas.money.amounts import minor_unit
from schemas.money.currencies import MINOR_UNIT_DECIMALS
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.users.v1 import users_pb2 as users
from tests.rpc import Users, never_a_user, serving_users, url_of

USER = "0197d3a0-0000-7000-8000-000000000001"
CONTEXT = MessageContext(correlation_id=new_id())

amounts = st.integers(0, 10**9)
rates = st.none() | st.sampled_from([Decimal(0), Decimal("0.07"), Decimal("0.19"), Decimal(1)])


def placed(command: PlaceOrder) -> OrderCreated:
    return Order.place(command, order_id=new_id(), at=utc_now())


def line(units: int, price: Decimal, tax_rate: Decimal | None) -> OrderLine:
    return OrderLine(sku="book", quantity=units, unit_price=price, tax_rate=tax_rate)


@given(
    tier=st.sampled_from(list(DISCOUNTS)),
    currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
    lines=st.lists(st.tuples(st.integers(1, 1000), amounts, rates), min_size=1, max_size=5),
)
def test_the_discount_is_what_the_total_is_lower_by(
    tier: str, currency: str, lines: list[tuple[int, int, Decimal | None]]
) -> None:
    unit = minor_unit(currency)
    asked = tuple(line(units, price * unit, tax_rate) for units, price, tax_rate in lines)
    command = PlaceOrder(customer_id=USER, currency=currency, lines=asked)
    dear, cheap = placed(command), placed(replace(command, standing=Standing(tier=tier)))
    assert dear.pricing is None
    assert cheap.pricing is not None
    assert cheap.total + cheap.pricing.discount == dear.total
    assert cheap.total <= dear.total
    for before, after in zip(dear.lines, cheap.lines, strict=True):
        exact = before.unit_price * (1 - DISCOUNTS[tier])
        assert abs(after.unit_price - exact) <= unit / 2
    assert Order.begin(cheap).net >= 0
    assert -Order.begin(cheap).total.as_tuple().exponent == MINOR_UNIT_DECIMALS[currency]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("points", "tier"),
    [(0, "standard"), (4, "standard"), (5, "silver"), (19, "silver"), (20, "gold"), (10**12, "platinum")],
)  # fmt: skip
def test_points_make_a_tier(points: int, tier: str) -> None:
    assert Account(user_id=UUID(USER), points=points, updated_at=None).tier == tier


def test_each_tier_has_its_discount() -> None:
    assert {str(each) for each in POINTS} == {str(each) for each in Tier} == set(DISCOUNTS)
    assert list(DISCOUNTS.values()) == sorted(DISCOUNTS.values())


@pytest.mark.parametrize(
    "text", ["", "ada", USER.upper(), USER[:-1], f" {USER}", f"{{{USER}}}", USER.replace("-", ""), None, "\uff10" * 32]
)  # fmt: skip
def test_only_an_id_as_it_is_given_out_is_a_users(text: str | None) -> None:
    assert user_id_in(text) is None
    assert user_id_in(USER) == UUID(USER)


@pytest.mark.parametrize(
    ("tier", "standing"),
    [
        (loyalty.TIER_STANDARD, Standing()),
        (loyalty.TIER_BRONZE, Standing()),
        (loyalty.TIER_GOLD, Standing(tier="gold")),
        (None, FALLBACK),
        (loyalty.TIER_UNSPECIFIED, Standing()),
        (77, Standing()),  # of a later version
    ],
)
def test_what_users_say_is_a_standing(tier: loyalty.Tier | None, standing: Standing) -> None:
    async def test() -> Standing | None:
        servicer = Users(lambda _: users.User(user_id=USER, tier=tier))
        async with (
            serving_users(servicer) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            return await UsersClient(channel).standing(USER, CONTEXT)

    assert asyncio.run(test()) == standing


def test_who_is_no_user_has_none_and_who_cannot_be_looked_up_the_lowest() -> None:
    async def test() -> None:
        servicer = Users(never_a_user)
        async with (
            serving_users(servicer) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            client = UsersClient(channel)
            assert await client.standing(USER, CONTEXT) is None
            asked = len(servicer.correlation_ids)
            assert servicer.correlation_ids == [str(CONTEXT.correlation_id)]
            assert await client.standing("ada", CONTEXT) is None
            with within(Deadline.after(0.001)):
                assert await client.standing(USER, CONTEXT) == FALLBACK
            assert len(servicer.correlation_ids) == asked  # neither was asked about
        async with open_channel("http://127.0.0.1:9", longest_s=0.2) as nowhere:
            assert await UsersClient(nowhere).standing(USER, CONTEXT) == FALLBACK
        assert await UsersClient(None).standing(USER, CONTEXT) is None

    asyncio.run(test())
