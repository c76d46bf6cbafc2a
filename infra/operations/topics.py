"""What may be asked of topics."""

from collections.abc import Sequence

from infra.errors import RequestError
from schemas.catalogue import catalogue


def require_types(topics: Sequence[str], types: Sequence[str]) -> None:
    """Refuse to look for messages that the topics cannot carry."""
    declared = [catalogue().topics[topic] for topic in topics if topic in catalogue().topics]
    if len(declared) < len(topics):
        return  # a topic that the catalogue does not know may carry anything
    known = [name for topic in declared for name in topic.messages]
    if unknown := [name for name in types if name not in known]:
        raise RequestError(
            f"{', '.join(topics)} carries no {', '.join(unknown)}; it carries {', '.join(known)}."
        )
