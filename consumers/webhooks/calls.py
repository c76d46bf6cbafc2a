"""Calling a receiver: one POST on a connection of its own, to an address that was judged, bounded in time and size."""

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpcore2

from producers.webhooks.addresses import Admitted, Policy, RefusedUrlError, admit

KEPT_BYTES = 1024
"""How much of an answer is read: enough to see what is wrong."""
READING_S = 1.0
"""How long that is waited for, in seconds: it decides nothing."""
ATTEMPT_S = 3.0
"""How long one of several addresses may take to connect: one that is dead leaves time for the others."""
LONGEST_WAIT_S = 24 * 3600.0
"""Longest `Retry-After` that is honoured, in seconds."""


_BROKEN_OFF = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call."""

    at: datetime
    duration_s: float
    # one of the two
    status: int | None = None
    error: str | None = None
    answer: str = ""  # its beginning, without characters that steer whatever shows it
    retry_after_s: float | None = None
    is_ours: bool = False  # what went wrong says nothing of the receiver, who was not called


class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Opens connections to the addresses that were judged, whatever the name would lead to by now."""

    def __init__(self, admitted: Admitted) -> None:
        self._admitted = admitted
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError("no address")
        addresses = self._admitted.addresses
        for number, address in enumerate(addresses, 1):
            patience_s = timeout if number == len(addresses) else ATTEMPT_S
            try:
                stream = await self._network.connect_tcp(str(address), port, patience_s)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            await self._require_peer(stream)
            return stream
        raise failure

    async def _require_peer(self, stream: httpcore2.AsyncNetworkStream) -> None:
        try:
            self._admitted.require_peer(stream.get_extra_info("server_addr")[0])
        except RefusedUrlError:
            await stream.aclose()
            raise


async def call(
    url: str, headers: Mapping[str, str], body: bytes, policy: Policy, *, within: asyncio.Timeout
) -> Outcome:
    """Post a body, and tell what came of it, whatever that is.

    No redirect is followed; proxies, credentials and cookies do not exist here.

    Args:
        within: How long all of it may take: resolving, connecting, answering. It may be shortened meanwhile.
    """
    at, started = datetime.now(UTC), time.monotonic()
    answer: dict[str, Any] = {}
    error: str | None = None
    try:
        async with within:
            await _exchange(await admit(url, policy), headers, body, answer)
    except TimeoutError:
        error = f"no answer within {round(time.monotonic() - started, 1):g} seconds"
    except RefusedUrlError as refused:
        error = f"not called: {refused}"
    except Exception as failure:  # noqa: BLE001 - whatever a receiver leads the client to is its failure
        error = harmless(f"{type(failure).__name__}: {failure}"[:KEPT_BYTES])
    # what has answered has answered, whatever becomes of the rest
    told = answer or {"error": error}
    return Outcome(at=at, duration_s=time.monotonic() - started, **told)


async def _exchange(
    admitted: Admitted, headers: Mapping[str, str], body: bytes, answer: dict[str, Any]
) -> None:
    """Post, and note what is answered as soon as it is known."""
    url = httpcore2.URL(
        scheme=admitted.scheme,
        host=admitted.host,
        port=admitted.port,
        target=admitted.target,
    )
    sent = {"host": admitted.authority, "accept-encoding": "identity", **headers}
    async with (
        httpcore2.AsyncConnectionPool(
            ssl_context=_tls(), max_connections=1, network_backend=_CheckedNetwork(admitted)
        ) as pool,
        pool.stream("POST", url, headers=list(sent.items()), content=body) as response,
    ):
        answer["status"] = response.status
        answer["retry_after_s"] = retry_after_s(response.headers, datetime.now(UTC))
        answer["answer"] = harmless((await _beginning(response)).decode(errors="replace"))


async def _beginning(response: httpcore2.Response) -> bytes:
    """Return what comes of the body, soon and without an error."""
    read = bytearray()
    with suppress(TimeoutError, *_BROKEN_OFF):
        async with asyncio.timeout(READING_S):
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) >= KEPT_BYTES:
                    break
    return bytes(read[:KEPT_BYTES])


def harmless(text: str) -> str:
    """Return a text without line breaks, controls and changes of direction."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def retry_after_s(headers: Iterable[tuple[bytes, bytes]], now: datetime) -> float | None:
    """Return how long an answer asks to be left alone, in seconds; None when it does not, or not in a way known."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            text = value.decode("latin-1").strip()
            if text.isascii() and text.isdigit():
                return min(float(text[:9]), LONGEST_WAIT_S)
            try:
                wait_s = (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds()
            except (ValueError, OverflowError):
                return None
            return min(max(wait_s, 0.0), LONGEST_WAIT_S)
    return None


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
