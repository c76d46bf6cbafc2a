"""Wires the webhooks service together; nothing is built anywhere else."""

from functools import partial

from fastapi import FastAPI

from producers.rest.storage import StorageSettings, build_stored_app
from producers.webhooks import problems, v1
from producers.webhooks.addresses import Policy
from producers.webhooks.desk import Desk
from producers.webhooks.sealing import Seal
from producers.webhooks.service import SERVICE
from producers.webhooks.settings import OwnSettings


class Settings(StorageSettings, OwnSettings):
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
    policy = Policy.of(settings.webhook_receivers, settings.webhook_ports)
    app.state.desk = Desk(policy, partial(Seal.of_file, settings.webhook_key_file))
    problems.install(app)
    return app
