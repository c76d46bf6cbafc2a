"""What a service tells of itself: how busy it is, what it gave up, and how its calls to others go."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

FIGURES = "/figures"

router = APIRouter()


@router.get(FIGURES)
async def figures(request: Request) -> dict[str, Any]:
    """Tell how busy the service is, what it gave up, how calls to each other service go, and where it is registered."""
    state = request.app.state
    return {
        "requests": {
            "in_flight": state.load.in_flight,
            "most": state.load.most,
            "shed": state.load.shed,
            "too_late": state.given_up.too_late,
            "abandoned": state.given_up.abandoned,
        },
        "calls": {each.name: each.figures() for each in getattr(state, "targets", ())},
        "registration": state.registration and state.registration.figures(),
    }
