"""Wires the users service together; nothing is built anywhere else."""

from fastapi import FastAPI

from producers.rest.storage import StorageSettings, build_stored_app
from producers.users import v1
from producers.users.service import SERVICE
from schemas.messages.users import UserSignedUp


class Settings(StorageSettings):
    """Settings of the users service."""


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it connects when it starts."""
    return build_stored_app(
        SERVICE,
        settings,
        description="Takes sign-ups and tells of them; whoever has something to do about one reads the topic.",
        routers=[v1.router],
        events=[UserSignedUp],
    )
