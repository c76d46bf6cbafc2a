"""A receiver of webhooks, and the endpoint by which it is told how orders end."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2
from aiohttp import web

from infra.demo.asking import Asker, NoAnswer, explain
from infra.demo.orders import DemoError
from schemas.rest.webhooks import URL_REFUSED

HOST = "127.0.0.1"
EVENT_TYPES = ("order.confirmed", "order.cancelled")
TOLERANCE_S = 300
LOOK_EVERY_S = 0.05

End = tuple[str, str]  # which event, of which order


class NotCalledError(DemoError):
    """What is asked for is nothing that this installation does."""


@dataclass
class Receiver:
    """Believes what is signed and fresh, and acts once on each id.

    Args:
        secret: What both sides know, `whsec_` and base64.
    """

    secret: str = field(
        default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        repr=False,
    )
    url: str = ""
    ends: dict[str, End] = field(default_factory=dict)
    """What was told, by the id of the webhook."""
    repeated: int = 0
    """How often it was told again what had been told, under its id."""
    forged: int = 0
    """How many calls were not signed as they should be."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Receiver"]:
        """Listen while the block runs."""
        path = f"/{secrets.token_hex(8)}"
        app = web.Application()
        app.router.add_post(path, self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            self.url = f"http://{HOST}:{runner.addresses[0][1]}{path}"
            yield self
        finally:
            await runner.cleanup()

    async def until_told(
        self, expected: Collection[End], *, timeout_s: float, stopping: asyncio.Event
    ) -> None:
        """Wait until all of these have been told, or nothing more has been for so long."""
        missing = set(expected) - set(self.ends.values())
        moved_at = time.monotonic()
        while missing and not stopping.is_set() and time.monotonic() < moved_at + timeout_s:
            count = len(missing)
            await asyncio.sleep(LOOK_EVERY_S)
            missing -= set(self.ends.values())
            if len(missing) < count:
                moved_at = time.monotonic()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except ConnectionError:  # who calls was killed in the midst, and calls again
            return web.Response(status=400)
        webhook_id = request.headers.get("webhook-id", "")
        if not _is_genuine(self.secret, webhook_id, request.headers, body):
            self.forged += 1
            return web.Response(status=401)
        told = json.loads(body)
        if webhook_id in self.ends:
            self.repeated += 1
        self.ends[webhook_id] = (told["type"], told["data"]["order_id"])
        return web.Response(status=204)


def _is_genuine(secret: str, webhook_id: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Verify a webhook as Standard Webhooks has it; not by the code that signs."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(expected, each) for each in given)


@asynccontextmanager
async def endpoint_of(receiver: Receiver, asker: Asker, url: str) -> AsyncIterator[None]:
    """Have a receiver told how orders end while the block runs.

    Args:
        url: Address of webhooks.

    Raises:
        NotCalledError: no receiver on this machine is called from there.
        DemoError: the endpoint cannot be registered.
    """
    asked = {
        "url": receiver.url,
        "event_types": EVENT_TYPES,
        # ours, so that an endpoint whose registration was not answered signs like the one that was
        "secret": receiver.secret,
        "description": "tailrace demo",
    }
    try:
        response = await _ask(asker, "POST", f"{url}/v1/endpoints", asked)
        if URL_REFUSED.uri in response.text:
            raise NotCalledError(
                "webhooks go to public addresses alone here; `webhook_receivers` says so"
            )
        if response.status_code != 201:
            raise DemoError(f"No webhook could be registered: webhooks {explain(response)}.")
        yield
    finally:
        with suppress(DemoError):  # it is disabled when nobody has answered for days
            await _remove(receiver, asker, url)


async def _remove(receiver: Receiver, asker: Asker, url: str) -> None:
    """Delete the endpoint, and those that a lost answer has left."""
    after = ""
    while True:
        response = await _ask(asker, "GET", f"{url}/v1/endpoints{after}")
        page = response.json() if response.is_success else {}
        for endpoint in page.get("endpoints", ()):
            if endpoint["url"] == receiver.url:
                await _ask(asker, "DELETE", f"{url}/v1/endpoints/{endpoint['endpoint_id']}")
        if not page.get("next_after"):
            return
        after = f"?after={page['next_after']}"


async def _ask(asker: Asker, method: str, url: str, body: object = None) -> httpx2.Response:
    content = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if content else None
    match await asker.ask(method, url, content=content, headers=headers):
        case NoAnswer(reason):
            raise DemoError(f"No webhook could be registered: webhooks gave {reason}.")
        case response:
            return response
