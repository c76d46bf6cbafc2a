"""Wiring of the orders service."""

from typing import Literal

from fastapi import FastAPI

from producers.orders import problems, v1, v2
from producers.orders.domain import EVENTS
from producers.orders.service import SERVICE
from producers.rest.storage import StorageSettings, build_stored_app
from schemas.messages.orders import Fulfilment


class Settings(StorageSettings):
    """What the orders service needs to know."""

    # form of fulfilment of an order that says nothing of it
    fulfilment: Literal["choreography", "orchestration"] = "choreography"


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it connects when it starts."""
    app = build_stored_app(
        SERVICE,
        settings,
        description="Owns orders. Clients use the storefront; this is what stands behind it.",
        routers=(v1.router, v2.router),
        events=EVENTS,
        about_health="Say whether orders can be taken: the database answers.",
    )
    app.state.fulfilment = Fulfilment(settings.fulfilment)
    problems.install(app)
    return app
