"""Where replays are asked for and looked at."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.console.guard import Form
from infra.console.pages import link
from infra.console.routes import Site, see


def replay_routes(site: Site) -> list[Route]:
    async def index(request: Request) -> Response:
        from infra.console.replays import view

        chosen = {name: request.query_params.get(name, "") for name in view.CHOICES}
        return await site.page(
            "replays.html",
            "replays",
            consumers=view.consumers(),
            topics=view.topics(),
            chosen=chosen,
        )

    async def show(request: Request) -> Response:
        from infra.console.replays import view
        from infra.operations.replay.jobs import job

        job_id = request.query_params.get("id", "")
        found = await site.asked(lambda seen: job(seen, job_id), "files")
        return await site.page("replay.html", "replays", found=found, shown=view.SHOWN)

    async def begin(_request: Request, form: Form) -> Response:
        from infra.console.replays import view
        from infra.operations.replay import jobs

        asked = view.request_of(form, form.actor, form.why)
        job = await site.done(lambda deployment: jobs.start(deployment, asked), "files")
        return see(link("/replay", id=job.job_id))

    async def stop(_request: Request, form: Form) -> Response:
        from infra.operations.replay import jobs

        job_id = form.require("id", "which replay is meant")
        await site.done(lambda deployment: jobs.stop(deployment, job_id), "files")
        return see(link("/replay", id=job_id))

    return [
        site.get("/replays", index),
        site.get("/replay", show),
        site.post("/replays", begin, long=("key", "type", "id", "where")),
        site.post("/replay", stop),
    ]
