"""Makes up orders: many customers and currencies, and some that the card processor will decline."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random

from infra.demo.orders import GENERATED, Line, NewOrder
from schemas.money.currencies import MINOR_UNIT_DECIMALS

CUSTOMERS = "ada alan barbara claude donald edsger frances grace hedy john katherine linus".split()
REFUSED_CUSTOMERS = ("declined-dora", "declined-dan", "broke-bob", "broke-bea")
ARTICLES = "book coffee keyboard lamp notebook pen poster tea teapot umbrella".split()

CURRENCIES = {"EUR": 4, "USD": 3, "GBP": 2, "JPY": 2, "KWD": 1}
"""How often each is used: the usual two decimals, none (JPY) and three (KWD)."""

PRICES = {0: (80, 480), 2: (99, 14_999), 3: (250, 49_995)}
"""Lowest and highest unit price in minor units, by the decimals of the currency.

The simulated card processor's limit is the same number in all currencies: what is not meant to exceed
it must stay below it with the largest quantity on every line.
"""

MAX_QUANTITY = 4
MAX_LINES = 5
COSTLY_PRICE = Decimal(2_500)
REFUSED_SHARE = 0.12
COSTLY_SHARE = 0.04
FREE_SHARE = 0.05


class GeneratedOrders:
    """Orders made up by chance; the same seed gives the same orders."""

    name = GENERATED
    explanation: Sequence[str] = ()

    def __init__(self, count: int, *, seed: int, currency: str | None = None) -> None:
        self.total: int | None = count
        self._count = count
        self._seed = seed
        self._currency = currency

    def __iter__(self) -> Iterator[NewOrder]:
        chance = Random(self._seed)  # noqa: S311 - variety is wanted, not secrecy
        for number in range(1, self._count + 1):
            yield _order(chance, number, self._currency)


def _order(chance: Random, number: int, currency: str | None) -> NewOrder:
    drawn = chance.choices(list(CURRENCIES), weights=list(CURRENCIES.values()))[0]
    currency = currency or drawn
    lines = tuple(_line(chance, currency) for _ in range(chance.randint(1, MAX_LINES)))
    if chance.random() < COSTLY_SHARE:
        lines = (_costly(currency), *lines[1:])
    refused = chance.random() < REFUSED_SHARE
    return NewOrder(
        place=f"order {number}",
        rows=1,
        customer_id=chance.choice(REFUSED_CUSTOMERS if refused else CUSTOMERS),
        currency=currency,
        lines=lines,
        total=sum((line.total for line in lines), Decimal(0)),
    )


def _line(chance: Random, currency: str) -> Line:
    quantity = chance.randint(1, MAX_QUANTITY)
    decimals = MINOR_UNIT_DECIMALS[currency]
    if chance.random() < FREE_SHARE:
        return Line("sample", quantity, _money(0, decimals))
    lowest, highest = PRICES.get(decimals, PRICES[0])
    return Line(
        chance.choice(ARTICLES), quantity, _money(chance.randint(lowest, highest), decimals)
    )


def _costly(currency: str) -> Line:
    minor_units = int(COSTLY_PRICE.scaleb(MINOR_UNIT_DECIMALS[currency]))
    return Line("server", 5, _money(minor_units, MINOR_UNIT_DECIMALS[currency]))


def _money(minor_units: int, decimals: int) -> Decimal:
    return Decimal(minor_units).scaleb(-decimals)
