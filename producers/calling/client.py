"""The one client of calls between services, over HTTP: every failure is a problem, and none waits past the deadline."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.hdrs import ACCEPT, CONTENT_TYPE, USER_AGENT
from yarl import URL

from cdc.context import MessageContext, carried
from cdc.deadline import LEAST_S, Deadline, within
from cdc.logs import FieldLogger
from cdc.service import StartError
from cdc.tracing.spans import Doing, doing
from producers.calling.answer import Answer, read, unusable
from producers.calling.retries import wait_s
from producers.calling.settings import CallSettings
from producers.calling.target import (
    CONNECT_SHARE,
    CONNECT_TIMEOUT_S,
    FAIR_S,
    LEAST_AGAIN_S,
    Attempt,
    NotCalledError,
    Target,
)
from producers.discovery.balancer import NoInstanceError, Use
from producers.discovery.instances import Instance
from producers.discovery.service_instances import ServiceInstances
from producers.rest.access.api_key import ApiKey
from producers.rest.deadlines import current_trace
from producers.rest.problems import ProblemError, unavailable
from producers.rest.timeout_headers import patience_headers, retries_allowed, without_reserve
from schemas.rest.problem import TOO_SLOW

KEEPALIVE_S = 2.0
"""Shorter than the server's 5 s: a connection that it is just closing must not be used for a request."""
SAFE_METHODS = frozenset({"GET", "HEAD"})
IDEMPOTENCY_KEY = "idempotency-key"
FAILURES = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
"""Answers which say that the target is in trouble, and after which a call is made again."""

UNWELCOME = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Answers which are about who we are, and would tell our clients that it is about them."""
UNWELCOME_S = 30  # until somebody has seen to it

log = FieldLogger(__name__)

_NOT_REACHED = (ClientConnectorError, ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    context: MessageContext
    headers: Mapping[str, str]
    content: str | bytes | None
    repeats: bool


@dataclass(frozen=True, slots=True)
class _Result:
    """An answer, or what is told instead of one."""

    answer: Answer | None = None
    problem: ProblemError | None = None
    # whether the same may go better in a moment
    passes: bool = False
    # whether anything may have been sent
    is_sent: bool = True

    @property
    def in_doubt(self) -> bool:
        """Whether the service may have acted, and this does not tell."""
        status = self.problem.status_code if self.problem else self.answer and self.answer.status
        return status in {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}


class ServiceClient:
    """Calls one service.

    Args:
        target: The service, as this process knows it.
        instances: Where it is.
        http: Connections to them.
        timeout_s: Seconds that a call takes at most, with its repetitions; fewer where a deadline says so.
    """

    def __init__(
        self,
        target: Target,
        instances: ServiceInstances,
        http: ClientSession,
        *,
        timeout_s: float,
    ) -> None:
        self.target = target
        self._instances = instances
        self._http = http
        self._timeout_s = timeout_s

    async def call(
        self,
        method: str,
        path: str,
        context: MessageContext,
        *,
        headers: Mapping[str, str] | None = None,
        content: str | bytes | None = None,
    ) -> Answer:
        """Call, and return the answer, whatever its status.

        What fails is called again where that is safe: a GET, and whatever carries an Idempotency-Key.

        Raises:
            ProblemError: there is no answer: 503 (not called, nothing was done), 504 (too slow) or 502 (confused).
            DeadlineExceededError: too little time remains to begin.
        """
        sent = {**(headers or {}), "accept-encoding": "identity"}
        is_safe = method in SAFE_METHODS or IDEMPOTENCY_KEY in sent
        most = self.target.settings.call_attempts if is_safe and retries_allowed.get() else 1
        call = _Call(method, path, context, sent, content, repeats=most > 1)
        with within(Deadline.after(self._timeout_s)) as deadline:
            result = await self._attempts(call, most, deadline)
        if result.answer is None:
            raise result.problem or AssertionError
        return result.answer

    async def _attempts(self, call: _Call, most: int, deadline: Deadline) -> _Result:
        doubtful: _Result | None = None
        tried: set[Instance] = set()
        number = 0
        while True:
            number += 1
            began = time.monotonic()
            result = await self._attempt(call, deadline, tried)
            if result.in_doubt and call.method not in SAFE_METHODS:
                doubtful = doubtful or result
            spare_s = deadline.remaining_s() - max(LEAST_AGAIN_S, time.monotonic() - began)
            if number >= most or not result.passes:
                break
            if not await self._pause(number, result, spare_s):
                break
        # that nothing was done the last time says nothing of the times before
        is_settled = result.answer is not None and not result.passes
        return result if is_settled else doubtful or result

    async def _pause(self, number: int, result: _Result, most_s: float) -> bool:
        """Wait before the call is made again, if there is time for it; tell whether it is to be."""
        asked_s = result.answer.retry_after_s if result.answer else None
        pause_s = wait_s(number, asked_s or 0)
        if pause_s is None or pause_s > most_s or not self.target.retries.withdraw():
            return False
        await asyncio.sleep(pause_s)
        self.target.counts.retries += 1
        return True

    async def _attempt(self, call: _Call, deadline: Deadline, tried: set[Instance]) -> _Result:
        remaining_s = deadline.require(LEAST_S)
        try:
            with self.target.attempt() as attempt:
                await self._instances.ready(without_reserve(remaining_s))
                return await self._exchange_with_any(call, attempt, deadline, tried)
        except NotCalledError as error:
            told = f"the {self.target.name} service {error}; nothing was done, try again"
            wait = max(1, math.ceil(error.retry_after_s))
            return _Result(problem=unavailable(told, retry_after_s=wait))
        except NoInstanceError:
            told = f"it is not known where the {self.target.name} service is; nothing was done, try again"
            return _Result(problem=unavailable(told), passes=True)

    async def _exchange_with_any(
        self, call: _Call, attempt: Attempt, deadline: Deadline, tried: set[Instance]
    ) -> _Result:
        """Go on to another instance as long as nothing was sent."""
        if not self._instances.others(tried):
            tried.clear()
        while True:
            attempt.failed = None  # what the one before has come to says nothing of the next
            with self._instances.use(tried) as use, self._span(call, use) as span:
                sent = {**call.headers, **carried(span.context)}
                result = await self._exchange(replace(call, headers=sent), use, deadline, tried)
                if span.is_recorded:
                    _describe(span, result)
            attempt.failed = use.failed
            tried.add(use.instance)
            has_another = self._instances.others(tried) and deadline.remaining_s() > LEAST_AGAIN_S
            if result.is_sent or not has_another:
                return result

    async def _exchange(
        self, call: _Call, use: Use, deadline: Deadline, tried: set[Instance]
    ) -> _Result:
        """Send and read; what is thrown here says how it went."""
        name, trace = self.target.name, current_trace()
        done_before = trace.may_be_done
        trace.may_be_done = done_before or call.method not in SAFE_METHODS
        remaining_s = deadline.remaining_s()
        reserve_s = remaining_s - without_reserve(remaining_s)
        is_fair = remaining_s >= FAIR_S
        headers = {**call.headers, **dict(patience_headers(remaining_s, repeats=call.repeats))}
        try:
            async with (
                asyncio.timeout_at(deadline.at - reserve_s / 2),
                self._http.request(
                    call.method,
                    URL(f"{self._base(use.instance)}{call.path}", encoded=True),
                    data=call.content,
                    headers=headers,
                    timeout=self._timeout(remaining_s, tried),
                    allow_redirects=False,
                ) as response,
            ):
                answer = await read(response, name)
        except _NOT_REACHED:
            use.failed = True
            trace.may_be_done = done_before
            told = f"the {name} service cannot be reached; try again"
            return _Result(problem=unavailable(told), passes=True, is_sent=False)
        except TimeoutError:
            use.failed = True if is_fair else None
            return _Result(problem=_too_slow(name, remaining_s), passes=True)
        except ClientError:
            use.failed = True
            return _Result(problem=unusable(name, "broke off in mid-answer"), passes=True)
        except ProblemError as problem:
            use.failed = True
            return _Result(problem=problem)
        if answer.status in UNWELCOME:
            trace.may_be_done, use.failed = done_before, False
            log.warning("not let in", target=name, status=answer.status)
            told = f"the {name} service does not take the credentials of this one; nothing was done"
            return _Result(problem=unavailable(told, retry_after_s=UNWELCOME_S))
        in_trouble = answer.status in FAILURES
        use.failed = None if in_trouble and not is_fair else in_trouble
        return _Result(answer, passes=in_trouble)

    def _span(self, call: _Call, use: Use) -> Doing:
        span = doing(call.method, call.context, "client")
        if span.is_recorded:
            span.attributes |= {
                "http.request.method": call.method,
                "peer.service": self.target.name,
                "server.address": use.instance.host,
                "server.port": use.instance.port,
                "url.path": call.path.partition("?")[0],
            }
        return span

    def _base(self, instance: Instance) -> str:
        scheme = "https" if self._instances.address.is_secure else "http"
        return f"{scheme}://{instance}{self._instances.address.path}"

    def _timeout(self, remaining_s: float, tried: Collection[Instance]) -> ClientTimeout:
        has_another = self._instances.others(tried) > 1
        connect_s = remaining_s * CONNECT_SHARE if has_another else self._timeout_s
        return ClientTimeout(connect=min(CONNECT_TIMEOUT_S, connect_s))


def _describe(span: Doing, result: _Result) -> None:
    if result.answer is not None:
        span.attributes["http.response.status_code"] = result.answer.status
    if result.problem is not None:
        span.error = str(result.problem)
    elif result.passes and result.answer is not None:
        span.error = str(result.answer.status)


def _too_slow(service: str, waited_s: float) -> ProblemError:
    return ProblemError(
        504,
        f"the {service} service did not answer within {waited_s:.2g} seconds; "
        "whether it acted on the request is unknown",
        kind=TOO_SLOW,
    )


def _credentials(settings: CallSettings) -> Mapping[str, str]:
    """Return the header that says who we are.

    Raises:
        StartError: the file with the API key cannot be read, or has something else in it.
    """
    if settings.call_key_file is None:
        return {}
    try:
        key = ApiKey.parse(settings.call_key_file.read_text("ascii").strip())
    except (OSError, UnicodeError):
        key = None
    if key is None:
        raise StartError(
            f"TAILRACE_CALL_KEY_FILE names {settings.call_key_file}, which cannot be read or has no API key in it; "
            "`tailrace keys new` makes one"
        )
    return {"authorization": f"Bearer {key.text}"}


@asynccontextmanager
async def open_client(
    name: str, url: str, settings: CallSettings, *, timeout_s: float
) -> AsyncIterator[ServiceClient]:
    """Open a client of a service and close its connections at the end.

    Args:
        url: Where the service is, see `ServiceUrl`.
    """
    instances = settings.instances_at(url)
    connections = TCPConnector(limit=settings.calls_in_flight, keepalive_timeout=KEEPALIVE_S)
    async with (
        ClientSession(
            connector=connections,
            headers=_credentials(settings),
            skip_auto_headers=(ACCEPT, CONTENT_TYPE, USER_AGENT),
            timeout=ClientTimeout(total=timeout_s),
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            trust_env=False,  # a proxy meant for the outside has no business between two services
        ) as http,
        instances.followed(),
    ):
        http._retry_connection = False  # noqa: SLF001 - what is called again, and when, is decided here
        target = Target(name, settings, instances=instances)
        yield ServiceClient(target, instances, http, timeout_s=timeout_s)
