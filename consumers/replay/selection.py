"""Which messages are replayed: topics, a range, and what a message must be like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from consumers.replay.bounds import Bound, require_order
from consumers.replay.errors import ChoiceError
from consumers.replay.where import ABSENT, Condition
from consumers.runtime.delivery import Record
from schemas.codec import Codec
from schemas.datum import UndecodableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is replayed."""

    topics: tuple[str, ...]
    start: Bound = field(default_factory=Bound)  # where to begin; the oldest message when open
    # up to where, that not included; the newest message of now when open
    end: Bound = field(default_factory=Bound)
    keys: tuple[bytes, ...] = ()  # record keys; all when none are named
    types: tuple[str, ...] = ()  # full names of messages; all when none are named
    ids: tuple[UUID, ...] = ()  # message ids; all when none are named
    where: tuple[Condition, ...] = ()  # conditions on what the message says, all of which must hold

    def __post_init__(self) -> None:
        for bound in (self.start, self.end):
            if bound.offsets and len(self.topics) > 1:
                raise ChoiceError(
                    "offsets are those of one topic: name one, or choose by time instead"
                )
        require_order(self.start, self.end)
        for partition, begin in self.start.offsets.items():
            end = self.end.offsets.get(partition)
            if end is not None and end <= begin:
                raise ChoiceError(
                    f"the range of partition {partition} ends at {end}, before it begins at {begin}"
                )

    @property
    def is_filtered(self) -> bool:
        """Whether not all messages of the range are meant."""
        return bool(self.keys or self.types or self.ids or self.where)

    def as_json(self) -> dict[str, Any]:
        return {
            "topics": list(self.topics),
            "from": self.start.as_json(),
            "to": self.end.as_json(),
            "keys": [key.decode(errors="backslashreplace") for key in self.keys],
            "types": list(self.types),
            "ids": [str(each) for each in self.ids],
            "where": [str(each) for each in self.where],
        }


class Filter:
    """Tells the messages that are meant from others."""

    def __init__(self, selection: Selection, codec: Codec) -> None:
        self._keys = frozenset(selection.keys)
        self._types = frozenset(name.encode() for name in selection.types)
        self._ids = frozenset(str(each).encode() for each in selection.ids)
        self._where = selection.where
        self._codec = codec
        self._by_header = bool(self._types or self._ids)
        self._found: set[Condition] = set()
        self._undecodable = 0

    def wants(self, record: Record) -> bool:
        """Tell whether a record is meant.

        Raises:
            ReplayError: a condition compares what cannot be compared.
        """
        if self._keys and record.key not in self._keys:
            return False
        if self._by_header and not self._is_named(dict(record.headers)):
            return False
        return not self._where or self._says(record.value)

    def complaint(self) -> str:
        """Return what may be wrong with the conditions when nothing was found, empty when nothing is."""
        strange = [
            ".".join(each.path) for each in dict.fromkeys(self._where) if each not in self._found
        ]
        told = (
            f"; no message that was read has a field {' or '.join(strange)}"
            if strange and self._where
            else ""
        )
        if self._undecodable:
            told += f"; {self._undecodable} messages could not be decoded"
        return told

    def _is_named(self, headers: Mapping[str, bytes | None]) -> bool:
        if self._types and headers.get("ce_type") not in self._types:
            return False
        return not self._ids or (headers.get("ce_id") or b"").lower() in self._ids

    def _says(self, value: bytes | None) -> bool:
        try:
            _, datum = self._codec.decode_datum(value or b"")
        except UndecodableError:
            self._undecodable += 1
            return False
        found: Sequence[tuple[Condition, Any]] = [(each, each.find(datum)) for each in self._where]
        self._found.update(each for each, about in found if about is not ABSENT)
        try:
            return all(each.holds(about) for each, about in found)
        except ValueError as error:
            raise ChoiceError(str(error)) from error
