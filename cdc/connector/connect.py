"""Kafka Connect's REST API, as far as keeping one connector applied and running needs it."""

import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import httpx2

from cdc import causes
from cdc.causes import Cause
from schemas.proxies import heeded

TIMEOUT_S = 10.0
CHANGE_TIMEOUT_S = 100.0
"""For a change Connect asks Postgres first, and gives itself 90 s: it says what is wrong by then, in its words."""
POLL_S = 0.1


class ConnectError(Exception):
    """Connect could not be asked, refused the request, or the connector's task has failed."""


class Applied(StrEnum):
    """What applying a configuration did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """State of a connector and of its task, in Connect's words: RUNNING, PAUSED, FAILED, UNASSIGNED, ABSENT."""

    connector: str
    task: str
    trace: str | None = None
    # worker of Connect that runs the task, by its address; None while none does
    worker: str | None = field(default=None, compare=False)

    @property
    def is_running(self) -> bool:
        return self.connector == self.task == "RUNNING"

    @property
    def cause(self) -> Cause | None:
        """Why it failed; None while it has not."""
        return causes.of_trace(self.trace) if self.trace else None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a connector has come."""

    lsn: int  # the WAL position of the last change that reached Kafka, as a number of bytes
    committed_at: datetime | None  # when that change was committed; None when that is not stored


def show(connect_url: str, name: str) -> dict[str, str] | None:
    """Return a connector's configuration as Connect holds it, or None when there is none."""
    answer = _request("GET", connect_url, f"/connectors/{name}/config")
    return None if answer.status_code == httpx2.codes.NOT_FOUND else _body(answer)


def apply(connect_url: str, name: str, config: dict[str, str]) -> Applied:
    """Bring a connector to a configuration; a connector that has it already is not disturbed.

    A connector that somebody paused or stopped is resumed, and a failed task is restarted.
    """
    known = show(connect_url, name)
    if known == config:
        _revive(connect_url, name)
        return Applied.UNCHANGED
    _body(_request("PUT", connect_url, f"/connectors/{name}/config", config))
    _revive(connect_url, name)
    return Applied.CREATED if known is None else Applied.UPDATED


def status(connect_url: str, name: str) -> ConnectorStatus:
    answer = _request("GET", connect_url, f"/connectors/{name}/status")
    if answer.status_code == httpx2.codes.NOT_FOUND:
        return ConnectorStatus("ABSENT", "ABSENT")
    body = _body(answer)
    task = body["tasks"][0] if body["tasks"] else {"state": "ABSENT"}
    trace = task.get("trace") or body["connector"].get("trace")
    return ConnectorStatus(body["connector"]["state"], task["state"], trace, task.get("worker_id"))


def restart(connect_url: str, name: str) -> None:
    _body(_request("POST", connect_url, f"/connectors/{name}/restart?includeTasks=true"))


def stop(connect_url: str, name: str, timeout_s: float = 30.0) -> None:
    """Stop a connector, and return once its task is gone; it stays stopped when Connect is restarted."""
    _body(_request("PUT", connect_url, f"/connectors/{name}/stop"))
    deadline = time.monotonic() + timeout_s
    while (state := status(connect_url, name)) != ConnectorStatus("STOPPED", "ABSENT"):
        if time.monotonic() > deadline:
            raise ConnectError(
                f"{name} has not stopped after {timeout_s:g} s (connector {state.connector}, task {state.task}); "
                "see `tailrace logs connect`"
            )
        time.sleep(POLL_S)


def delete(connect_url: str, name: str) -> None:
    """Delete a connector; its slot stays, and so does what Connect stores of how far it has come."""
    _body(_request("DELETE", connect_url, f"/connectors/{name}"))


def create_stopped(connect_url: str, name: str, config: dict[str, str]) -> None:
    """Make a connector that does not run before it is resumed."""
    body = {"name": name, "config": config, "initial_state": "STOPPED"}
    _body(_request("POST", connect_url, "/connectors", body))


def read_position(connect_url: str, name: str) -> Position | None:
    """Return how far a connector has come by what Connect stores of it; None when it stores nothing."""
    offsets = _body(_request("GET", connect_url, f"/connectors/{name}/offsets"))["offsets"]
    if not offsets or not offsets[0]["offset"]:
        return None
    offset = offsets[0]["offset"]
    committed_us = offset.get("ts_usec")
    # of a transaction under way, the position of its last change lies behind that of the last commit
    lsns = [int(offset[name]) for name in ("lsn", "lsn_proc", "lsn_commit") if offset.get(name)]
    return Position(
        max(lsns),
        datetime.fromtimestamp(committed_us / 1_000_000, UTC) if committed_us else None,
    )


def forget_position(connect_url: str, name: str) -> None:
    """Delete what Connect stores of how far a stopped connector has come."""
    _body(_request("DELETE", connect_url, f"/connectors/{name}/offsets"))


def wait_until_running(
    connect_url: str, name: str, timeout_s: float, clock: Callable[[], float] = time.monotonic
) -> None:
    """Return once connector and task run.

    Args:
        clock: What the time is measured by.
    """
    deadline = clock() + timeout_s
    while not (state := status(connect_url, name)).is_running:
        if state.task == "FAILED":
            raise ConnectError(f"the task of {name} failed: {causes.of_trace(state.trace)}")
        if clock() > deadline:
            raise ConnectError(
                f"{name} is not running after {timeout_s:g} s (connector {state.connector}, task "
                f"{state.task}); see `tailrace logs connect`"
            )
        time.sleep(POLL_S)


def _revive(connect_url: str, name: str) -> None:
    state = status(connect_url, name)
    if state.connector in {"PAUSED", "STOPPED"}:
        _body(_request("PUT", connect_url, f"/connectors/{name}/resume"))
    elif "FAILED" in (state.connector, state.task):
        restart(connect_url, name)


@cache
def _certificates() -> ssl.SSLContext:
    """Loading them takes thirty times as long as a request, and Connect is asked again and again."""
    return httpx2.create_ssl_context()


def urls_of(connect_url: str) -> list[str]:
    """Return the base URL of each worker that a `connect_url` names."""
    return connect_url.split(",")


def _request(
    method: str, connect_url: str, path: str, body: Mapping[str, object] | None = None
) -> httpx2.Response:
    """Ask the first worker that can be reached, until it has an answer; all of them tell the same."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        answer = _ask(method, connect_url, path, body)
        if not _passes(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(POLL_S)


def _ask(
    method: str, connect_url: str, path: str, body: Mapping[str, object] | None
) -> httpx2.Response:
    timeout_s = TIMEOUT_S if method == "GET" else CHANGE_TIMEOUT_S
    *others, last = urls_of(connect_url)
    # what a worker may have done before it was lost is not asked of another one, unless it only was to tell
    lost = httpx2.TransportError if method == "GET" else httpx2.ConnectError
    for url in others:
        with contextlib.suppress(lost):
            return _send(method, f"{url}{path}", body, timeout_s)
    try:
        return _send(method, f"{last}{path}", body, timeout_s)
    except httpx2.HTTPError as error:
        raise ConnectError(
            f"Kafka Connect at {connect_url} cannot be asked ({causes.of_error(error).text}); see `tailrace status`"
        ) from error


def _send(
    method: str, url: str, body: Mapping[str, object] | None, timeout_s: float
) -> httpx2.Response:
    return httpx2.request(
        method,
        url,
        json=body,
        timeout=timeout_s,
        verify=_certificates(),
        trust_env=heeded(url),
    )


def _passes(answer: httpx2.Response) -> bool:
    """Tell whether the workers are about to know better: while they deal out tasks, or miss their leader."""
    if answer.status_code == httpx2.codes.INTERNAL_SERVER_ERROR:
        return "IO Error trying to forward REST request" in answer.text
    return answer.status_code == httpx2.codes.CONFLICT


def _body(answer: httpx2.Response) -> Any:
    if answer.is_error:
        raise ConnectError(f"Kafka Connect refused {answer.request.url}: {_reason(answer)}")
    return answer.json() if answer.content else None


def _reason(answer: httpx2.Response) -> str:
    try:
        return causes.in_line(str(answer.json()["message"]))
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
