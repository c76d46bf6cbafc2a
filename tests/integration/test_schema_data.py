"""`tailrace schema check --data` reads the records that are really in the topics."""

import json
from pathlib import Path
from typing import Any

from infra.local.probe import wait_until
from schemas.gate import tree
from tests.orders import place
from tests.stack import RunningStack
from tests.unit.schemas.gate.contract_repository import ORDER_CREATED, ContractRepository


def contracts(root: Path) -> ContractRepository:
    """A repository with the contracts of this one."""
    repository = ContractRepository.make(root)
    for path in tree.read(repository.schemas):
        (repository.schemas / path).unlink()
    for path, text in tree.read(tree.contracts_directory()).items():
        repository.write(path, text)
    repository.commit()
    return repository


def check_data(stack: RunningStack, repository: ContractRepository, *arguments: str) -> str:
    directory = str(repository.schemas)
    command = ("schema", "check", "--schemas", directory, "--data", *arguments)
    return stack.cli(*command, check=False).stdout


def undecodable(stack: RunningStack, repository: ContractRepository) -> list[dict[str, Any]]:
    """Return the order events that lack what the tree's schema wants."""
    topics = {
        each["topic"]: each for each in json.loads(check_data(stack, repository, "--json"))["data"]
    }
    assert topics["order.events"]["read"] >= len(topics["order.events"]["undecodable"])
    return [each for each in topics["order.events"]["undecodable"] if "buyer_id" in each["reason"]]


def test_records_that_would_not_decode_are_named_with_their_offsets(
    stack: RunningStack, tmp_path: Path
) -> None:
    repository = contracts(tmp_path / "clone")
    place(stack)
    assert not undecodable(stack, repository)
    repository.replace(ORDER_CREATED, '"name": "customer_id"', '"name": "buyer_id"')
    wait_until("no record is named", lambda: bool(undecodable(stack, repository)), timeout_s=30)
    assert all(
        each["partition"] >= 0 and each["offset"] >= 0 for each in undecodable(stack, repository)
    )
    text = check_data(stack, repository, "50")
    assert "\norder.events/" in f"\n{text}"
    assert "records read with the working tree's schemas" in text
