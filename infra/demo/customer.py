"""Signs a customer up, and has some of the orders be theirs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import httpx2
from pydantic import ValidationError

from cdc.ids import new_id
from infra.demo.asking import Asker, NoAnswer, explain
from infra.demo.generate import CUSTOMERS
from infra.demo.orders import BadRow, DemoError, NewOrder, Source
from schemas.rest.users.v1 import User

EVERY = 4
"""Of so many made-up orders one is the new customer's: enough for a tier, and for others to be seen beside it."""


async def sign_up(asker: Asker, url: str) -> User:
    """Sign somebody up, and see that they are known.

    Args:
        url: Address of users.

    Raises:
        DemoError: users does not do it.
    """
    key = new_id()
    headers = {"content-type": "application/json", "idempotency-key": f'"{key}"'}
    body = json.dumps({"email": f"demo-{key}@example.com"}).encode()
    user = _user(await asker.ask("POST", f"{url}/v1/users", content=body, headers=headers))
    return _user(await asker.ask("GET", f"{url}/v1/users/{user.user_id}"))


def _user(answer: httpx2.Response | NoAnswer) -> User:
    match answer:
        case NoAnswer(reason):
            raise DemoError(f"Nobody could be signed up: users gave {reason}.")
        case response:
            try:
                return User.model_validate_json(response.content)
            except ValidationError:
                raise DemoError(f"Nobody could be signed up: users {explain(response)}.") from None


@dataclass(frozen=True, slots=True)
class WithCustomer:
    """The orders of another source, some of which somebody places who has just signed up."""

    source: Source
    user: User

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def explanation(self) -> Sequence[str]:
        return self.source.explanation

    @property
    def total(self) -> int | None:
        return self.source.total

    def __iter__(self) -> Iterator[NewOrder | BadRow]:
        usual = 0
        for item in self.source:
            if not isinstance(item, NewOrder) or item.customer_id not in CUSTOMERS:
                yield item
                continue
            is_theirs = usual % EVERY == 0
            usual += 1
            yield self._theirs(item) if is_theirs else item

    def _theirs(self, order: NewOrder) -> NewOrder:
        return replace(order, customer_id=str(self.user.user_id), is_of_user=True)
