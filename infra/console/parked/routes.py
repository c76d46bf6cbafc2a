"""Where dead letters are looked at, and acted on."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.guard import Form, FormError
from infra.console.pages import link
from infra.console.routes import Site, see
from infra.errors import RequestError

if TYPE_CHECKING:
    from consumers.runtime.parked.acting import Audit
    from infra.operations.parked.messages import Target

MOST_A_SECOND = 10_000
FOLLOWED_S = 8.0
"""How long what is tried again is followed before it is said what became of it."""


def parked_routes(site: Site) -> list[Route]:
    deployment = site.installation.deployment

    async def index(request: Request) -> Response:
        from infra.console.parked.view import MOST, listed, selection

        about = {name: request.query_params.get(name, "") for name in ("consumer", "type", "error")}
        chosen = selection(about["consumer"], about["type"], about["error"])
        found = await site.asked(lambda: listed(deployment, chosen)) if any(about.values()) else []
        return await site.page("parked.html", "parked", found=found, about=about, most=MOST)

    async def show(request: Request) -> Response:
        from infra.console.parked.view import one

        place, consumer, message_id = (
            request.query_params.get(name, "") for name in ("place", "consumer", "message_id")
        )
        try:
            found = await site.asked(lambda: one(deployment, place, consumer, message_id))
        except ValueError as error:
            raise RequestError(f"{error}.") from error
        return await site.page("parked-message.html", found=found, place=place)

    async def retry(_request: Request, form: Form) -> Response:
        from infra.console.parked.view import retried
        from infra.operations.parked import retry as operations

        request = operations.RetryRequest(
            target=_target(form), by=_by(form), rate=_rate(form), timeout_s=FOLLOWED_S
        )
        result = await site.asked(
            lambda: operations.retry(
                deployment,
                request,
                lambda _: None,
                lambda _words, _total: nullcontext(lambda _: None),
            )
        )
        return await site.page("done.html", told=list(retried(result)), back=_back(form))

    async def skip(_request: Request, form: Form) -> Response:
        from infra.operations.parked.skip import skip as operation

        if not form.get("place"):
            raise FormError("Nothing was done: say which message is to be skipped.")
        target, by = _target(form), _by(form)
        await site.asked(lambda: operation(deployment, target, by, lambda _: None))
        return see(_back(form))

    return [
        site.get("/parked", index),
        site.get("/parked/message", show),
        site.post("/parked/retry", retry),
        site.post("/parked/skip", skip),
    ]


def _target(form: Form) -> "Target":
    """Return what a form is about: one message by its place, or the dead letters of a group."""
    from uuid import UUID

    from consumers.runtime.parked.message import RecordPosition
    from consumers.runtime.parked.selection import Selection
    from infra.operations.parked.messages import Target

    try:
        message_id = UUID(form.get("message_id")) if form.get("message_id") else None
        place = RecordPosition.parse(form.get("place")) if form.get("place") else None
    except ValueError as error:
        raise FormError(f"Nothing was done: {error}.") from error
    consumer = form.require("consumer", "at which consumer")
    if place:
        return Target(place=place, selection=Selection(consumer=consumer, message_id=message_id))
    type_, failure = form.get("type") or None, form.get("error") or None
    return Target(selection=Selection(consumer=consumer, type=type_, error=failure, status="dead"))


def _by(form: Form) -> "Audit":
    from consumers.runtime.parked.acting import Audit

    return Audit(
        actor=form.require("actor", "who you are"),
        why=form.require("why", "why, as it is kept with what is done"),
    )


def _rate(form: Form) -> float | None:
    try:
        rate = float(form.get("rate") or 0)
    except ValueError:
        rate = -1
    if not 0 <= rate <= MOST_A_SECOND:
        raise FormError(f"Nothing was done: the rate should be a number up to {MOST_A_SECOND:,}.")
    return rate or None


def _back(form: Form) -> str:
    """Return the page from which a form was sent."""
    if form.get("place"):
        about = {name: form.get(name) for name in ("place", "consumer", "message_id")}
        return link("/parked/message", **about)
    return link("/parked", **{name: form.get(name) for name in ("consumer", "type", "error")})
