"""Where contracts are looked at, and changes of them judged."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.guard import LARGEST_TEXT_BYTES, Form
from infra.console.routes import Site
from infra.errors import explain

if TYPE_CHECKING:
    from infra.console.contracts.view import Subject
    from infra.operations.proposal import Judged


def contract_routes(site: Site) -> list[Route]:
    async def index(_request: Request) -> Response:
        from infra.console.contracts.view import subjects

        return await site.page("contracts.html", found=await site.asked(lambda _: subjects()))

    async def show(request: Request) -> Response:
        from infra.console.contracts import view

        name = request.query_params.get("name", "")
        found = await site.asked(lambda _: view.subject(name))
        text = await site.asked(lambda seen: view.text_of(seen, name))
        return await _page(found, text)

    async def check(_request: Request, form: Form) -> Response:
        from infra.console.contracts import view

        name = form.require("name", "which message is to change")
        text = form.require("text", "what its schema is to be")
        found = await site.asked(lambda _: view.subject(name))
        return await _page(
            found, text, await site.asked(lambda seen: view.judged(seen, name, text), "registry")
        )

    async def _page(found: "Subject", text: str, judged: "Judged | None" = None) -> Response:
        from infra.console.contracts import view

        versions, trouble = [], ""
        try:
            versions = await site.asked(lambda seen: view.published(seen, found.name), "registry")
        except Exception as error:
            trouble = explain(error) or ""
            if not trouble:
                raise
        return await site.page(
            "contract.html",
            found=found,
            text=text,
            judged=judged,
            versions=versions,
            trouble=trouble,
            told=view.told,
        )

    return [
        site.get("/schemas", index),
        site.get("/schema", show),
        site.post("/schema", check, largest_bytes=LARGEST_TEXT_BYTES, long=("text",), acts=False),
    ]
