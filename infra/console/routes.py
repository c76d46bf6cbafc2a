"""What pages are made with, and how what goes wrong with one is told."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from http import HTTPStatus
from traceback import format_exception
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdc.database import only_reading
from cdc.logs import FieldLogger
from infra.console.board import Board
from infra.console.guard import LARGEST_FORM_BYTES, Act, Endpoint, FormError, Forms, require_texts
from infra.console.installation import Installation
from infra.console.pages import Pages
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError, explain

FIRST_S = 0.15
"""How long a page waits for what it shows, when nobody looked before; the rest comes by its stream."""

WARM_AFTER_S = 1.0
"""After it has begun to serve: what is started beside it has its time first."""

MOST_AT_ONCE = 2

T = TypeVar("T")

log = FieldLogger(__name__)


class Site:
    """What all pages of a console share.

    Args:
        load_board: Makes the board, in a thread: it takes half a second to load what looks at an installation.
    """

    def __init__(
        self,
        installation: Installation,
        process: str,
        load_board: "Callable[[Site], Callable[[], Board]]",
    ) -> None:
        self.installation = installation
        self.process = process
        self.forms = Forms(installation)
        self.pages = Pages(installation, process)
        self.is_ending = False
        self._load_board = load_board
        self._board: Board | None = None
        self._loading = asyncio.Lock()
        # what is asked of a server that stands still must not hold up what others are asked for
        self._limiters = defaultdict[str, CapacityLimiter](lambda: CapacityLimiter(MOST_AT_ONCE))

    async def board(self) -> Board:
        async with self._loading:
            if self._board is None:
                self._board = (await run_in_threadpool(self._load_board, self))()
        return self._board

    async def warm_up(self) -> None:
        """Have ready what the first page needs, so that it does not wait for that."""
        await asyncio.sleep(WARM_AFTER_S)
        await self.board()
        await run_in_threadpool(self.pages.warm_up)

    def end(self) -> None:
        """End what goes on for ever, so that the server can stop."""
        self.is_ending = True
        if self._board is not None:
            self._board.end()

    async def close(self) -> None:
        if self._board is not None:
            await self._board.close()

    async def asked(self, ask: Callable[[Deployment], T], whom: str = "postgres") -> T:
        """Return what an operation says of the installation, in a thread; Postgres lets it change nothing.

        Args:
            whom: Server that it mostly depends on.
        """

        def looking() -> T:
            with only_reading():
                return ask(self.installation.seen)

        return await self._in_turn(looking, whom)

    async def done(self, act: Callable[[Deployment], T], whom: str = "postgres") -> T:
        """Have an operation done to the installation, in a thread, as the roles that may."""
        return await self._in_turn(lambda: act(self.installation.deployment), whom)

    async def _in_turn(self, ask: Callable[[], T], whom: str) -> T:
        """Run it when its turn has come: few at once, as some take a dozen connections."""
        return await to_thread.run_sync(ask, limiter=self._limiters[whom])

    async def page(
        self, template: str, *live: str, status: int = HTTPStatus.OK, **values: object
    ) -> Response:
        """Return a page, with panels as they are, which it keeps up to date by itself."""
        board, wanted = await self.board(), ("health", *live)
        with board.watched(wanted):
            await board.first(live, FIRST_S)
            # made by our own templates, which have escaped what they were given
            panels = {name: Markup(board.shown(name).html) for name in wanted}  # noqa: S704
        return self.pages.page(template, status, panels=panels, **values)

    def get(self, path: str, endpoint: Endpoint, **longest: int) -> Route:
        """Return a route of a page.

        Args:
            longest: How many characters those values of its address have at most that may be longer than others.
        """

        async def asked(request: Request) -> Response:
            require_texts(request.query_params.multi_items(), longest)
            return await endpoint(request)

        return Route(path, self._told(asked), methods=["GET"])

    def post(
        self,
        path: str,
        act: Act,
        *,
        largest_bytes: int = LARGEST_FORM_BYTES,
        long: Collection[str] = (),
        acts: bool = True,
        is_known: bool = True,
    ) -> Route:
        """Return a route that takes a form, which is judged before, as `Forms.taking` tells."""
        taken = self.forms.taking(
            act, largest_bytes=largest_bytes, long=long, acts=acts, is_known=is_known
        )
        return Route(path, self._told(taken), methods=["POST"])

    def _told(self, endpoint: Endpoint) -> Endpoint:
        """Have an endpoint's errors told in a sentence: pages are opened when things are down."""

        async def told(request: Request) -> Response:
            try:
                return await endpoint(request)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                return self._trouble(request, error)

        return told

    def _trouble(self, request: Request, error: Exception) -> Response:
        is_act = request.method == "POST"
        heading = "This was not done" if is_act else "This cannot be shown"
        match error:
            case FormError():
                return self.trouble(HTTPStatus.FORBIDDEN, heading, str(error))
            case RequestError():
                status = HTTPStatus.BAD_REQUEST
            case TailraceError() if not is_act:
                status = HTTPStatus.NOT_FOUND
            case _:
                status = HTTPStatus.CONFLICT if is_act else HTTPStatus.SERVICE_UNAVAILABLE
        if (sentence := explain(error)) is None:
            traceback = "".join(format_exception(error))
            log.error("failed", path=request.url.path, error=traceback)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            sentence = "The console has failed at this: `tailrace logs console` has more."
        return self.trouble(status, heading, sentence)

    def trouble(self, status: HTTPStatus, heading: str, sentence: str) -> Response:
        return self.pages.page("trouble.html", status, heading=heading, sentence=sentence)


def see(address: str) -> Response:
    """Return an answer that has the browser fetch a page, so that loading it again does nothing twice."""
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
