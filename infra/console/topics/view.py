"""What pages of topics show, and what is asked for there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from cdc.tail import TailedRecord
from consumers.replay.bounds import Bound
from consumers.replay.where import Condition
from consumers.runtime.parked.message import key_of
from infra.console.pages import json_lines
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.operations.records import (
    MOST,
    Filter,
    SearchRequest,
    SearchResult,
    find,
    header_of,
)
from infra.operations.topics import summaries
from schemas.catalogue import Topic, catalogue

LIMIT = 25
LONGEST = 500
"""Characters of what is asked for in one field."""
MOST_CONDITIONS = 10
MOST_LINES, LONGEST_LINE, MOST_HEADERS = 100, 300, 50
"""Of what a record says, as a page has many."""


def counted(deployment: Deployment) -> Mapping[str, int | None]:
    return {each.topic.name: each.records for each in summaries(deployment)}


def declared() -> Sequence[Topic]:
    return list(catalogue().topics.values())


def messages_of(topic: str) -> Sequence[str]:
    found = catalogue().topics.get(topic)
    return found.messages if found else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page was asked for, as it stands in its address."""

    name: str
    partition: str
    key: str
    type: str
    until: str
    limit: str
    headers: Sequence[str]
    where: Sequence[str]

    @classmethod
    def of(cls, query: QueryParams) -> "Asked":
        one = {
            name: query.get(name, "").strip()
            for name in ("name", "partition", "type", "until", "limit")
        }
        several = {
            name: [each.strip() for each in query.getlist(name) if each.strip()]
            for name in ("header", "where")
        }
        key = query.get("key", "")
        texts = [*one.values(), key, *several["header"], *several["where"]]
        if any(len(each) > LONGEST for each in texts) or len(texts) > MOST_CONDITIONS + len(one):
            raise RequestError(
                f"That is too much to look for: {MOST_CONDITIONS} conditions of {LONGEST} characters at most."
            )
        return cls(**one, key=key, headers=several["header"], where=several["where"])

    @property
    def query(self) -> list[tuple[str, str]]:
        """The same as it stands in an address, but for where to begin."""
        one = {"name": self.name, "partition": self.partition, "key": self.key, "type": self.type}
        pairs = [*one.items(), ("limit", self.limit)]
        pairs += [("header", each) for each in self.headers]
        pairs += [("where", each) for each in self.where]
        return [(name, value) for name, value in pairs if value]

    def filter(self) -> Filter:
        try:
            return Filter(
                topic=self.name,
                partition=_number("partition", self.partition),
                key=key_of(self.key) if self.key else None,
                type=self.type or None,
                headers=[header_of(each) for each in self.headers],
                where=[Condition.parse(each) for each in self.where],
            )
        except ValueError as error:
            raise RequestError(f"{error}.") from error

    def request(self) -> SearchRequest:
        limit = _number("number of records", self.limit)
        try:
            until = Bound.parse(self.until.split(), datetime.now(UTC))
        except ValueError as error:
            raise RequestError(f"Where to begin: {error}.") from error
        return SearchRequest(
            wanted=self.filter(), until=until, limit=LIMIT if limit is None else limit
        )


def _number(what: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise RequestError(f"The {what} should be a number, not {text!r}.")
    return int(text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a page shows it."""

    of: TailedRecord

    @property
    def id(self) -> str:
        return f"r-{self.of.partition}-{self.of.offset}"

    @property
    def title(self) -> str:
        if self.of.error:
            return self.of.headers.get("ce_type") or "undecodable"
        return self.of.type or "a tombstone"

    @property
    def message_id(self) -> str | None:
        return self.of.headers.get("ce_id")

    @property
    def summary(self) -> str:
        text = json.dumps(self.of.value, ensure_ascii=False, default=str)
        return text if len(text) <= 110 else f"{text[:110]}…"

    @property
    def lines(self) -> Sequence[str]:
        return [_short(line) for line in self._lines[:MOST_LINES]]

    @property
    def is_cut(self) -> bool:
        return len(self._lines) > MOST_LINES or any(
            len(each) > LONGEST_LINE for each in self._lines
        )

    @property
    def headers(self) -> Sequence[tuple[str, str | None]]:
        return [
            (name, value and _short(value))
            for name, value in list(self.of.headers.items())[:MOST_HEADERS]
        ]

    @property
    def _lines(self) -> Sequence[str]:
        return json_lines(self.of.value)


@dataclass(frozen=True, slots=True)
class Page:
    """Records that were found, and where the search goes on."""

    result: SearchResult
    records: Sequence[Record]

    @property
    def goes_on_before(self) -> str:
        ends = self.result.found.ends
        return " ".join(f"{partition}:{offset}" for partition, offset in sorted(ends.items()))


def page_of(deployment: Deployment, request: SearchRequest) -> Page:
    result = find(deployment, request)
    return Page(result, [Record(each) for each in result.found.records])


__all__ = ["MOST", "Asked", "Page", "Record", "counted", "declared", "messages_of", "page_of"]
