"""Where outboxes are looked at, and a canary is sent."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.guard import Form
from infra.console.pages import milliseconds
from infra.console.routes import Site
from infra.errors import explain


def outbox_routes(site: Site) -> list[Route]:
    async def index(_request: Request) -> Response:
        from infra.console.outboxes.view import held

        found, trouble = None, ""
        try:
            found = await site.asked(held)
        except Exception as error:
            trouble = explain(error) or ""
            if not trouble:
                raise
        return await site.page(
            "outboxes.html", "outboxes", "publishing", "slot", found=found, trouble=trouble
        )

    async def canary(_request: Request, _form: Form) -> Response:
        from infra.pipeline import send_canary

        seconds = await site.done(send_canary, "kafka")
        told = [f"A message took {milliseconds(seconds)} from its commit to the consumer."]
        return await site.page(
            "done.html",
            here="/outboxes",
            heading="The canary came through",
            told=told,
            back="/outboxes",
        )

    return [site.get("/outboxes", index), site.post("/outboxes/canary", canary)]
