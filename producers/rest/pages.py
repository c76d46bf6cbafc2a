"""Lists by page: each page says where the next one begins, and that holds whatever comes in or changes meanwhile.

A cursor tells what the last row of a page is ordered by. The next page is what comes after it, found by an index in
that order: it takes as long deep in a list as at its beginning.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from producers.rest.context import answer_headers
from producers.rest.problems import ProblemError, answers
from schemas.rest.pages import AskForPage
from schemas.rest.problem import FOREIGN_CURSOR

Row = TypeVar("Row")
Position = TypeVar("Position")

LISTED = answers(400, 422) | {200: {"headers": {"Link": {}}}}
"""What the API description says about a list."""

_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,512}", re.ASCII)
_VERSION_OF_PATH = re.compile(r"^/v[0-9]+(?=/)", re.ASCII)
_SEAL_BYTES = 8


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, and path and query of those that follow; None where there are none."""

    rows: Sequence[Row]
    next: str | None


class Pages(Generic[Row, Position]):
    """How a list is ordered.

    Args:
        adapter: Reads and writes what its rows are ordered by, such as time and id. It never changes, and no two rows
            have the same.
        position_of: Returns it.
    """

    def __init__(
        self, adapter: TypeAdapter[Position], position_of: Callable[[Row], Position]
    ) -> None:
        self._adapter = adapter
        self._position_of = position_of

    def after(self, asked: AskForPage, request: Request) -> Position | None:
        """Return after what the page begins; None for the first one.

        Raises:
            ProblemError: the cursor is none, or that of another list, or of other filters.
        """
        if asked.cursor is None:
            return None
        try:
            return self._adapter.validate_json(_opened(asked.cursor, _list_of(asked, request)))
        except ValidationError:
            raise _foreign() from None

    def page(self, found: Sequence[Row], asked: AskForPage, request: Request) -> Page[Row]:
        """Return the page of what was found, and say in `Link` where the next one is.

        Args:
            found: As many rows as were asked for and one more, if there are as many.
        """
        rows = found[: asked.limit]
        if len(found) <= asked.limit:
            return Page(rows, None)
        last = self._adapter.dump_json(self._position_of(rows[-1]))
        cursor = _sealed(last, _list_of(asked, request))
        query = {**_filters(asked), "limit": asked.limit, "cursor": cursor}
        return Page(rows, linked(urlencode(query), request))


def linked(query: str, request: Request) -> str:
    """Return the path of a request with the query of the next page, and say so in `Link` as well (RFC 8288)."""
    target = f"{request.url.path}?{query}"
    headers = answer_headers(request.scope)
    others = [headers["link"]] if "link" in headers else []
    headers["link"] = ", ".join([*others, f'<{target}>; rel="next"'])
    return target


def _filters(asked: AskForPage) -> dict[str, Any]:
    return asked.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)


def _list_of(asked: AskForPage, request: Request) -> str:
    """Return what makes a list another one: its path, whatever version that names, and its filters."""
    path = _VERSION_OF_PATH.sub("", request.url.path)
    return f"{path}?{urlencode(sorted(_filters(asked).items()))}"


def _sealed(position: bytes, of: str) -> str:
    token = _seal(position, of) + position
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _opened(cursor: str, of: str) -> bytes:
    if not _CURSOR.fullmatch(cursor) or len(cursor) % 4 == 1:
        raise _foreign()
    token = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    seal, position = token[:_SEAL_BYTES], token[_SEAL_BYTES:]
    if seal != _seal(position, of):
        raise _foreign()
    return position


def _seal(position: bytes, of: str) -> bytes:
    """Return what shows a slip. It keeps nobody out: whoever may see a list may begin it wherever he likes."""
    return hashlib.sha256(of.encode() + b"\n" + position).digest()[:_SEAL_BYTES]


def _foreign() -> ProblemError:
    return ProblemError(
        400,
        "the cursor is not of this list with these filters; follow `next` as it stands, or begin anew without a cursor",
        kind=FOREIGN_CURSOR,
    )
