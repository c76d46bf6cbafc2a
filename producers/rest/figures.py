"""What a service tells of itself: how busy it is, what it gave up, whom it refused, and how its calls to others go."""

from typing import Any

from fastapi import APIRouter
from starlette.datastructures import State
from starlette.requests import Request

from cdc.metrics import METRICS
from cdc.tracing.spans import figures as tracing_figures

FIGURES = "/figures"
WATCHED = frozenset({"/health", FIGURES, METRICS})
"""What is asked by those who watch over the service: it is always answered, and counts for nobody."""

HEALTHY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"status": "ok"}}}}
}
"""What the API description shows of a service that is well."""
_TOLD = {
    "requests": {"in_flight": 1, "most": 512, "shed": 0, "too_late": 0, "abandoned": 0},
    "calls": {
        "orders": {
            "state": "closed",
            "in_flight": 0,
            "attempts": 2113,
            "failures": 1,
            "retries": 1,
            "retries_left": 10,
            "refused_open": 0,
            "refused_full": 0,
        }
    },
}

router = APIRouter()


@router.get(FIGURES, responses={200: {"content": {"application/json": {"example": _TOLD}}}})
async def figures(request: Request) -> dict[str, Any]:
    """Tell how busy the service is, what it gave up, how its calls go, and where it and its spans go."""
    return figures_of(request.app.state)


def figures_of(state: State) -> dict[str, Any]:
    return {
        "requests": {
            "in_flight": state.load.in_flight,
            "most": state.load.most,
            "shed": state.load.shed,
            "too_late": state.given_up.too_late,
            "abandoned": state.given_up.abandoned,
        },
        "streams": {
            "open": state.streams.open,
            "most": state.streams.most,
            "refused": state.streams.refused,
        },
        "access": state.guard.figures(),
        "calls": {each.name: each.figures() for each in getattr(state, "targets", ())},
        "registration": state.registration and state.registration.figures(),
        "traces": tracing_figures(),
    }
