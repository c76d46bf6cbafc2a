"""Cases of the contract, and what they have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from cdc.context import MessageContext
from cdc.ids import new_id
from consumers.testing.records import NewRecord
from schemas.catalogue import Catalogue, catalogue
from tests.rig import Rig

Case = Callable[[Rig], Awaitable[None]]

CASES: list[Case] = []


def case(function: Case) -> Case:
    """Add a case to the contract."""
    CASES.append(function)
    return function


def with_headers(record: NewRecord, **headers: str | bytes | None) -> NewRecord:
    """Return a record with other headers, and without those that are None."""
    return replace(record, headers=record.headers_with(**headers))


def id_of(record: NewRecord) -> str:
    """Return the id of a record's message."""
    return (dict(record.headers)["ce_id"] or b"").decode()


def commands_on_order_events() -> Catalogue:
    """Return the catalogue as it would be if `order.events` carried commands."""
    declared = catalogue()
    changed = replace(declared.topics["order.events"], kind="commands")
    return replace(declared, topics={**declared.topics, changed.name: changed})


def new_context() -> MessageContext:
    """Return the context of a message that nothing led to."""
    return MessageContext(correlation_id=new_id())
