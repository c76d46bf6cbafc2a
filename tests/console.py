"""The console of a stack in tests: its pages over HTTP, its streams, and a dead letter to work on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

import httpx2

from cdc.ids import new_id
from consumers.runtime.parked.selection import Selection
from infra.local.probe import wait_until
from infra.operations.parked.list import list_messages
from tests.plain_http import PLAIN
from tests.produce import Maker, produce
from tests.stack import RunningStack

TOKEN = re.compile('name="token" value="([^"]+)"')
CONSUMER, TOPIC = "reports-worker", "reports.commands"
"""Who is the only one to take what is sent there, so that one of them parks what nobody can digest."""
EVIL = "<script>alert(1)</script>\x1b[31m"


class ConsolePages:
    """Pages as a browser gets them."""

    def __init__(self, stack: RunningStack) -> None:
        self.url = stack.settings.console_url
        self._client = httpx2.Client(base_url=self.url, verify=PLAIN, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, status: int = 200) -> str:
        answer = self.answer(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def answer(self, path: str) -> httpx2.Response:
        return self._client.get(path)

    def post(self, path: str, page: str, **fields: str) -> httpx2.Response:
        """Send a form of a page."""
        [token, *_] = TOKEN.findall(page)
        data = {"token": token, "actor": "ada", "why": "a trial"} | fields
        return self._client.post(path, data=data, headers={"origin": self.url})

    def until(self, path: str, text: str, timeout_s: float = 60.0) -> str:
        """Ask for a page until it holds a text, and return it."""
        wait_until(
            f"{path} does not say {text!r}",
            lambda: text in self._client.get(path).text,
            timeout_s=timeout_s,
        )
        return self.get(path)

    @contextmanager
    def stream(self, *panels: str) -> Iterator[Iterator[tuple[str, str]]]:
        """Open a stream; what is given are its events, each with its name and what it tells."""
        with self.following(f"/events?panels={','.join(panels)}") as events:
            yield events

    @contextmanager
    def following(self, path: str) -> Iterator[Iterator[tuple[str, str]]]:
        with self._client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["x-accel-buffering"] == "no"
            yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name, data = "", []
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and name:
            yield name, "\n".join(data)
            name, data = "", []


def park(stack: RunningStack) -> tuple[str, str]:
    """Have a message parked whose key and type hold what may hurt a page; return its place and its key."""
    key = f"{EVIL}{new_id()}"
    record = Maker(stack).payment(key)
    bad = replace(record, headers={**record.headers, "ce_type": EVIL, "note": EVIL})
    [place] = produce(stack, TOPIC, [bad])
    selection = Selection(consumer=CONSUMER, key=key.encode())
    wait_until(
        "the message is not parked",
        lambda: bool(list_messages(stack.deployment, selection, 1).messages),
        timeout_s=60,
    )
    return f"{place.topic}/{place.partition}/{place.offset}", key
