"""Where transactions are asked for."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.routes import Site
from infra.text import uuid_of


def flow_routes(site: Site) -> list[Route]:
    async def show(request: Request) -> Response:
        from infra.console.flow.page import transaction

        if not (asked := request.query_params.get("id", "").strip()):
            return await site.page("find.html")
        chosen = uuid_of(request.query_params.get("message", ""))
        found = await site.asked(lambda seen: transaction(seen, asked, chosen))
        return await site.page("flow.html", found=found)

    return [site.get("/flow", show)]
