"""Where topics are looked into."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from infra.console.routes import Site
from infra.console.streams import HEADERS
from infra.console.visitor import present
from infra.errors import explain


def topic_routes(site: Site) -> list[Route]:
    async def index(_request: Request) -> Response:
        from infra.console.topics import view

        records: Mapping[str, int | None] = {}
        trouble = ""
        try:
            records = await site.asked(view.counted, "kafka")
        except Exception as error:
            trouble = explain(error) or ""
            if not trouble:
                raise
        return await site.page(
            "topics.html", found=view.declared(), records=records, trouble=trouble
        )

    async def show(request: Request) -> Response:
        from infra.console.topics import view

        asked = view.Asked.of(request.query_params)
        wanted = asked.request()
        found = await site.asked(lambda seen: view.page_of(seen, wanted), "kafka")
        return await site.page(
            "topic.html",
            found=found,
            asked=asked,
            query=urlencode(asked.query),
            messages=view.messages_of(asked.name),
            most=view.MOST,
        )

    async def follow(request: Request) -> Response:
        from infra.console.topics import following, view

        visitor = present()
        wanted = view.Asked.of(request.query_params).filter()
        events = following.stream(
            site.installation.seen,
            wanted,
            lambda: site.is_ending or not visitor.is_welcome(),
            lambda each: site.pages.render("part-record.html", each=view.Record(each)),
        )
        return StreamingResponse(events, headers=HEADERS, media_type="text/event-stream")

    return [
        site.get("/topics", index),
        site.get("/topic", show),
        site.get("/topic/follow", follow),
    ]
