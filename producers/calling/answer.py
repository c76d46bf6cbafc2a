"""What a service answered, read whole and bounded; what cannot be used is a problem."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import ClientResponse
from multidict import CIMultiDictProxy

from producers.rest.problems import ProblemError
from schemas.rest.problem import BAD_GATEWAY, MEDIA_TYPE

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An order of 500 lines, each shown as two and every character escaped, has a third of it."""

_SECONDS = re.compile("[0-9]{1,9}", re.ASCII)
_PROBLEM_STATUSES = frozenset(status for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered, whole."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_problem(self) -> bool:
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return media_type == MEDIA_TYPE and self.status in _PROBLEM_STATUSES

    @property
    def retry_after_s(self) -> int | None:
        """Seconds after which to try again, where the answer says so in seconds."""
        said = self.headers.get("retry-after", "")
        return int(said) if _SECONDS.fullmatch(said) else None


def unusable(service: str, what: str) -> ProblemError:
    detail = f"the {service} service {what}; whether it acted on the request is unknown"
    return ProblemError(502, detail, kind=BAD_GATEWAY)


async def read(response: ClientResponse, service: str) -> Answer:
    """Return the answer, undecoded: what was not asked for, such as compression, is no answer."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise unusable(service, f"answered with more than {MAX_ANSWER_BYTES} bytes")
    return Answer(response.status, response.headers, bytes(body))
