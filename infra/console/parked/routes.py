"""Where dead letters are looked at, and acted on."""

from collections.abc import Mapping
from contextlib import nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.guard import LARGEST_TEXT_BYTES, Form, FormError
from infra.console.pages import link
from infra.console.routes import Site, see
from infra.errors import RequestError

if TYPE_CHECKING:
    from consumers.runtime.parked.acting import Audit
    from infra.console.parked.view import One
    from infra.operations.parked.messages import Target

GROUPED_BY = ("consumer", "type", "error", "key")
NAMED_BY = ("place", "consumer", "message_id")
MOST_A_SECOND = 10_000
FOLLOWED_S = 8.0
"""How long what is tried again is followed before it is said what became of it."""


def parked_routes(site: Site) -> list[Route]:
    async def index(request: Request) -> Response:
        from infra.console.parked.view import MOST, listed, selection

        about = {name: request.query_params.get(name, "") for name in GROUPED_BY}
        found = None
        if any(about.values()):
            try:
                chosen = selection(**about)
            except ValueError as error:
                raise RequestError(f"{error}.") from error
            found = await site.asked(lambda seen: listed(seen, chosen))
        return await site.page("parked.html", "parked", found=found, about=about, most=MOST)

    async def show(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in NAMED_BY}
        found = await _one(asked)
        return await site.page("parked-message.html", found=found, place=asked["place"])

    async def draft(request: Request) -> Response:
        from infra.console.parked.editing import draft_of

        asked = {name: request.query_params.get(name, "") for name in NAMED_BY}
        found = await _one(asked)
        return await site.page(
            "parked-edit.html", found=found, place=asked["place"], draft=draft_of(found)
        )

    async def edit(http: Request, form: Form) -> Response:
        from infra.console.parked.editing import refused
        from infra.operations.parked import edit as operations

        target, text, based_on = _target(form), form.get("text"), form.get("based_on")
        if target.place is None:
            raise FormError("Nothing was done: say which message is to be changed.")
        request = operations.EditRequest(
            place=target.place,
            consumer=target.selection.consumer,
            message_id=target.selection.message_id,
            change=text,
            based_on=based_on,
            current_schema=bool(form.get("current_schema")),
            by=_by(form),
        )
        try:
            await site.done(lambda deployment: operations.edit(deployment, request))
        except operations.EditError as error:
            found = await _one({name: form.get(name) for name in NAMED_BY})
            return await site.page(
                "parked-edit.html",
                status=HTTPStatus.BAD_REQUEST,
                found=found,
                place=form.get("place"),
                draft=refused(text, based_on, error),
            )
        return await retry(http, form) if form.get("retry") else see(_back(form))

    async def _one(asked: Mapping[str, str]) -> "One":
        from infra.console.parked.view import one

        try:
            return await site.asked(lambda seen: one(seen, **asked))
        except ValueError as error:
            raise RequestError(f"{error}.") from error

    async def retry(_request: Request, form: Form) -> Response:
        from infra.console.parked.view import retried
        from infra.operations.parked import retry as operations

        request = operations.RetryRequest(
            target=_target(form), by=_by(form), rate=_rate(form), timeout_s=FOLLOWED_S
        )
        result = await site.done(
            lambda deployment: operations.retry(
                deployment,
                request,
                lambda _: None,
                lambda _words, _total: nullcontext(lambda _: None),
            )
        )
        return await site.page(
            "done.html",
            here="/parked",
            heading="Retried",
            told=list(retried(result)),
            back=_back(form),
        )

    async def skip(_request: Request, form: Form) -> Response:
        from infra.operations.parked.skip import skip as operation

        if not form.get("place"):
            raise FormError("Nothing was done: say which message is to be skipped.")
        target, by = _target(form), _by(form)
        await site.done(lambda deployment: operation(deployment, target, by, lambda _: None))
        return see(_back(form))

    return [
        site.get("/parked", index),
        site.get("/parked/message", show),
        site.get("/parked/edit", draft),
        site.post("/parked/edit", edit, largest_bytes=LARGEST_TEXT_BYTES, long=("text",)),
        site.post("/parked/retry", retry),
        site.post("/parked/skip", skip),
    ]


def _target(form: Form) -> "Target":
    """Return what a form is about: one message by its place, or the dead letters of a group."""
    from uuid import UUID

    from consumers.runtime.parked.message import RecordPosition, key_of
    from consumers.runtime.parked.selection import Selection
    from infra.operations.parked.messages import Target

    try:
        message_id = UUID(form.get("message_id")) if form.get("message_id") else None
        place = RecordPosition.parse(form.get("place")) if form.get("place") else None
        key = key_of(form.fields["key"]) if form.fields.get("key") else None
    except ValueError as error:
        raise FormError(f"Nothing was done: {error}.") from error
    consumer = form.require("consumer", "at which consumer")
    if place:
        return Target(place=place, selection=Selection(consumer=consumer, message_id=message_id))
    return Target(
        selection=Selection(
            consumer=consumer,
            type=form.get("type") or None,
            key=key,
            error=form.get("error") or None,
            status="dead",
        )
    )


def _by(form: Form) -> "Audit":
    from consumers.runtime.parked.acting import Audit

    return Audit(actor=form.actor, why=form.why)


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
        return link("/parked/message", **{name: form.get(name) for name in NAMED_BY})
    return link("/parked", **{name: form.get(name) for name in GROUPED_BY})
