"""What the worker sees to beside messages: results that have expired, and jobs of long ago."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from tailrace import DueWork, load_queries

QUERIES = load_queries(__package__)

REMEMBERED = timedelta(days=30)
"""How long it can be told of a job that there was one."""
AT_ONCE = 20
"""Pieces and jobs that are taken away in one transaction: ten megabytes at most."""


class ExpiredWork(DueWork[UUID]):
    """What jobs have made and nobody may have any more, which is taken away piece by piece."""

    async def take(self, transaction: Any) -> Sequence[UUID]:
        cursor = await transaction.execute(QUERIES["expired"])
        return [job_id for (job_id,) in await cursor.fetchall()]

    async def attempt(self, transaction: Any, row: UUID) -> None:
        values = {"job_id": row, "limit": AT_ONCE}
        parts = await transaction.execute(QUERIES["take_away_parts"], values)
        chunks = await transaction.execute(QUERIES["take_away_chunks"], values)
        if max(parts.rowcount, chunks.rowcount) < AT_ONCE:
            await transaction.execute(QUERIES["taken_away"], {"job_id": row})


class ForgettingWork(DueWork[Sequence[UUID]]):
    """Jobs that were finished long ago."""

    async def take(self, transaction: Any) -> Sequence[Sequence[UUID]]:
        values = {"remembered": REMEMBERED, "limit": AT_ONCE}
        cursor = await transaction.execute(QUERIES["old"], values)
        old = [job_id for (job_id,) in await cursor.fetchall()]
        return [old] if old else []

    async def attempt(self, transaction: Any, row: Sequence[UUID]) -> None:
        await transaction.execute(QUERIES["forget"], {"job_ids": row})
