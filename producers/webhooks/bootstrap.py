"""Wires the webhooks service together; nothing is built anywhere else."""

from fastapi import FastAPI

from producers.rest.storage import StorageSettings, build_stored_app
from producers.webhooks import problems, v1
from producers.webhooks.desk import Desk
from producers.webhooks.service import SERVICE
from producers.webhooks.settings import WebhookSettings


class Settings(StorageSettings, WebhookSettings):
    """Settings of the webhooks service."""


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it connects when it starts."""
    app = build_stored_app(
        SERVICE,
        settings,
        description="Keeps the endpoints that are told of orders by HTTP, and shows what was delivered to them.",
        routers=[v1.router],
        events=[],
    )
    app.state.desk = Desk(settings.webhook_policy(), settings.webhook_seal)
    problems.install(app)
    return app
