"""Where sagas are looked at, and acted on."""

from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.guard import Form, FormError
from infra.console.pages import link
from infra.console.routes import Site, see
from infra.deployment import Deployment


def saga_routes(site: Site) -> list[Route]:
    async def index(request: Request) -> Response:
        from consumers.sagas.instance import Status
        from infra.console.sagas.view import MOST, listed

        saga, status = (request.query_params.get(name, "") for name in ("saga", "status"))
        found = await site.asked(lambda seen: listed(seen, saga, status))
        return await site.page(
            "sagas.html",
            "sagas",
            found=found,
            saga=saga,
            standing=status,
            statuses=get_args(Status),
            most=MOST,
        )

    async def show(request: Request) -> Response:
        from infra.console.sagas.view import one
        from infra.operations.sagas import ABOUT

        saga_id, saga = (request.query_params.get(name, "") for name in ("id", "saga"))
        found = await site.asked(lambda seen: one(seen, saga_id, saga))
        return await site.page("saga.html", found=found, about=ABOUT)

    async def act(_request: Request, form: Form) -> Response:
        from infra.operations import sagas as operations

        verb = form.require("verb", "what is to be done")
        if verb not in operations.VERBS:
            raise FormError(f"Nothing was done: there is no action {verb!r}.")
        request = operations.ActionRequest(
            verb=verb,
            saga_id=form.require("id", "which saga is meant"),
            saga=form.require("saga", "which saga is meant"),
            step=form.get("step"),
            newest=bool(form.get("newest")),
            actor=form.actor,
            why=form.why,
        )

        def carry_out(deployment: Deployment) -> None:
            with operations.open_sagas(deployment) as readers:
                operations.act(readers, request)

        await site.done(carry_out)
        return see(link("/saga", id=request.saga_id, saga=request.saga))

    return [site.get("/sagas", index), site.get("/saga", show), site.post("/saga", act)]
