"""Versions of a resource side by side: routes that name their version, and the way to them without it."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime, time
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from producers.rest.access.routes import ApiRoute
from producers.rest.context import answer_headers
from producers.rest.negotiation import (
    OFFER,
    Offer,
    names_version,
    not_acceptable,
    offers_at,
    offers_of,
    preferred,
    version_of_body,
)
from producers.rest.problems import answers
from schemas.rest.api import Api
from schemas.rest.versions import Version


def version_router(api: Api, version: Version) -> APIRouter:
    """Return a router for what an API serves in one of its versions, under its prefix."""
    return APIRouter(
        prefix=version.prefix,
        route_class=type("VersionRoute", (VersionRoute,), {"api": api, "version": version}),
        deprecated=True if version.deprecated_on else None,
        responses=answers(406),
    )


class VersionRoute(ApiRoute):
    """A route whose path begins with its version. Every answer of it says when that version ends."""

    version: ClassVar[Version]
    """The version that the path names."""

    @property
    def path_without_version(self) -> str:
        """What is left of the path without its version, such as `/orders`."""
        return self.path.removeprefix(self.version.prefix)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            answer_headers(request.scope).update(self.announcement(request.scope["path"]))
            offer = getattr(request.state, OFFER, None) or self._offer(request)
            response = await handler(request)
            response.headers["content-type"] = offer.media_type
            return response

        return handle

    def announcement(self, path: str) -> dict[str, str]:
        return announcement(self.version, path, successor=self.api.successor_of(self.version))

    def _offer(self, request: Request) -> Offer:
        """Keep to the version of the path. An `Accept` that speaks of no version has always been passed over here."""
        if self.takes_body:
            version_of_body(request.headers, [self.version])
        offers = offers_at(self.version)
        offer = preferred(request.headers, offers)
        if offer is None and names_version(request.headers):
            raise not_acceptable(offers, self.api.versions)
        return offer or offers[0]


class NegotiatedRoute(Route):
    """A path without a version: leads each request to the route of the version that it asks for."""

    def __init__(self, routes: Mapping[Version, VersionRoute]) -> None:
        route = next(iter(routes.values()))
        super().__init__(route.path_without_version, self._serve)
        self.app, self.methods, self.routes = self._serve, {route.method}, routes
        self.api = route.api

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # only FastAPI's routes say so themselves
        request = Request(scope)
        answer_headers(scope)["vary"] = "Accept"
        offer = self._offer(request)
        setattr(request.state, OFFER, offer)
        await self.routes[offer.version].app(scope, receive, send)

    def _offer(self, request: Request) -> Offer:
        versions = list(self.routes)
        takes_body = any(route.takes_body for route in self.routes.values())
        named = version_of_body(request.headers, versions) if takes_body else None
        offers = offers_of([named] if named else versions)
        offer = preferred(request.headers, offers)
        if offer is None:
            raise not_acceptable(offers, self.api.versions)
        return offer


def negotiated(routers: Iterable[APIRouter]) -> list[NegotiatedRoute]:
    """Return a route without a version for everything that the routers serve in versions."""
    found: dict[tuple[str, str], dict[Version, VersionRoute]] = defaultdict(dict)
    for router in routers:
        for route in router.routes:
            if isinstance(route, VersionRoute):
                found[route.path_without_version, route.method][route.version] = route
    return [NegotiatedRoute(routes) for routes in found.values()]


def served(routes: Iterable[BaseRoute]) -> set[Api]:
    return {route.api for route in routes if isinstance(route, NegotiatedRoute)}


def announcement(
    version: Version, path: str, *, successor: Version | None = None
) -> dict[str, str]:
    """Return the headers that tell a client of a version what it should know."""
    headers = {"vary": "Accept"}
    if version.deprecated_on:
        since = datetime.combine(version.deprecated_on, time.min, UTC)
        headers["deprecation"] = f"@{int(since.timestamp())}"
    if version.sunset_on:
        end = datetime.combine(version.sunset_on, time(23, 59, 59), UTC)
        headers["sunset"] = format_datetime(end, usegmt=True)
    if version.deprecated_on and successor:
        target = successor.prefix + quote(path.removeprefix(version.prefix))
        headers["link"] = f'<{target}>; rel="successor-version"'
    return headers
