"""Reading what a registry tells of instances, who may have registered themselves with anything."""

from collections.abc import Callable, Iterable
from typing import Any

from cdc.logs import FieldLogger
from producers.discovery.instances import Instance, SourceError

log = FieldLogger(__name__)


def instance_of(host: Any, port: Any, weight: Any = 1) -> Instance:
    """Return an instance.

    Raises:
        ValueError, TypeError: nobody could call it.
    """
    found = Instance(str(host or ""), int(port), max(int(weight), 1))
    if not found.host or not 0 < found.port <= 0xFFFF:
        raise ValueError("it has no host and port that could be called")
    return found


def read_all(
    registry: str, entries: Iterable[Any], read: Callable[[Any], Instance | None]
) -> frozenset[Instance]:
    """Return the instances among the entries; one that makes no sense is passed over and does not hide the others.

    Args:
        registry: What people call it.
        read: Reads an entry; None for one that is not to be called.

    Raises:
        SourceError: no entry makes sense.
    """
    found, odd = set(), 0
    for entry in entries:
        try:
            instance = read(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            odd += 1
            log.warning("instance cannot be read", registry=registry, reason=repr(error))
        else:
            found.add(instance)
    if odd and not found:
        raise SourceError(
            f"{registry} tells of instances in a form of its own, which the log names"
        )
    return frozenset(each for each in found if each is not None)
