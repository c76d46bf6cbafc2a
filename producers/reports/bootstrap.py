"""Wires the reports service together; nothing is built anywhere else."""

from fastapi import FastAPI

from producers.reports import results, v2
from producers.reports.service import SERVICE
from producers.rest.storage import StorageSettings, build_stored_app
from schemas.messages.reports import MakeReport


class Settings(StorageSettings):
    """Settings of the reports service."""


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it connects when it starts."""
    return build_stored_app(
        SERVICE,
        settings,
        description="Takes what takes long as jobs: ask for a report, follow the job, fetch what it has made.",
        routers=[v2.router, results.router],
        events=[MakeReport],
    )
