"""The gate for sagas under way: what they wait for stays, whatever it has promised."""

from pathlib import Path

import pytest

from schemas.gate import tree
from schemas.gate.baseline import from_git
from schemas.gate.running import Running, check
from tests.unit.schemas.gate.contract_repository import ORDER_CREATED, ContractRepository

NONE = '\n[messages."orders.{}"]\ncompatibility = "NONE"\n'
CARRIED = 'messages = ["orders.OrderCreated", "orders.OrderCancelled"]'
READ = 'analytics-worker = ["orders.OrderCreated", "orders.OrderCancelled"]'


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    made = ContractRepository.make(tmp_path / "clone")
    text = (made.schemas / "catalogue.toml").read_text()
    for name in ("OrderCreated", "OrderCancelled"):
        text += NONE.format(name)
    made.write("catalogue.toml", text)
    made.commit()
    return made


def running(**changes: object) -> Running:
    given: dict[str, object] = {
        "saga": "fulfilment",
        "version": 2,
        "sagas": 3,
        "replies_to": "order.events",
        "replies": frozenset({"orders.OrderCreated"}),
        "cancelled_by": frozenset({"orders.OrderCancelled"}),
        "commands": frozenset(),
    }
    return Running(**given | changes)  # type: ignore[arg-type]


def refused(repository: ContractRepository, version: Running) -> list[str]:
    assert repository.refused() == [], "they have promised nothing"
    found = check(tree.read(repository.schemas), from_git(repository.schemas, "main"), [version])
    return [str(each).partition(". Keep")[0] for each in found]


def test_what_did_not_change_passes(repository: ContractRepository) -> None:
    assert refused(repository, running()) == []


def test_a_reply_that_a_running_version_could_not_read_is_refused(
    repository: ContractRepository,
) -> None:
    repository.replace(
        ORDER_CREATED, '"customer_id", "type": "string"', '"customer_id", "type": "int"'
    )
    first, second = refused(repository, running())
    about = "orders.OrderCreated /fields/1/type customer_id: fulfilment 2, 3 of which are under way, reads it: "
    assert first.startswith(about)
    assert second.startswith(about)
    assert refused(repository, running(replies=frozenset())) == [], "it does not read it"


def test_a_message_that_is_gone_or_elsewhere_is_refused(repository: ContractRepository) -> None:
    repository.replace("catalogue.toml", CARRIED, 'messages = ["orders.OrderCreated"]')
    repository.replace("catalogue.toml", READ, 'analytics-worker = ["orders.OrderCreated"]')
    repository.replace("catalogue.toml", NONE.format("OrderCancelled"), "")
    (repository.schemas / "avro/orders/OrderCancelled.avsc").unlink()
    gone = "orders.OrderCancelled /: the message was removed, and fulfilment 2, 1 of which is under way,"
    assert refused(repository, running(sagas=1)) == [f"{gone} waits for it"]
    command = frozenset({"orders.OrderCancelled"})
    sends = running(sagas=1, cancelled_by=frozenset(), commands=command)
    assert refused(repository, sends) == [f"{gone} asks with it"]


def test_a_reply_that_goes_elsewhere_is_refused(repository: ContractRepository) -> None:
    [found] = refused(repository, running(replies_to="fulfilment.replies", sagas=1))
    assert found == (
        "orders.OrderCreated /: fulfilment.replies carries it no more, and fulfilment 2, 1 of which is under way, "
        "waits for it there"
    )
