"""What goes wrong with webhooks, as problems: the errors of the handlers and of what judges URLs and keys."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from producers.rest.problems import ProblemError, response_of
from producers.webhooks.addresses import RefusedUrlError
from producers.webhooks.handlers import (
    DeliveryNotFoundError,
    DeliveryPendingError,
    EndpointDisabledError,
    EndpointNotFoundError,
)
from producers.webhooks.signing import KeyFormatError
from schemas.rest.problem import INVALID_REQUEST, FieldError
from schemas.rest.webhooks import (
    DELIVERY_NOT_FOUND,
    DELIVERY_STATE,
    ENDPOINT_NOT_FOUND,
    ENDPOINT_STATE,
    URL_REFUSED,
)


def problem_of(error: Exception) -> ProblemError:
    match error:
        case EndpointNotFoundError():
            return ProblemError(404, "there is no such endpoint", kind=ENDPOINT_NOT_FOUND)
        case DeliveryNotFoundError():
            told = "there is no such delivery; what is over is forgotten after a while"
            return ProblemError(404, told, kind=DELIVERY_NOT_FOUND)
        case EndpointDisabledError():
            told = "the endpoint is disabled, and nothing is sent to it; enable it first"
            return ProblemError(409, told, kind=ENDPOINT_STATE)
        case DeliveryPendingError():
            told = "the delivery is under way already; wait for it, or recover the endpoint to have it tried at once"
            return ProblemError(409, told, kind=DELIVERY_STATE)
        case RefusedUrlError():
            told = f"the URL is not called from here: {error}; give another one"
            field = FieldError(pointer="#/url", detail=str(error))
            return ProblemError(422, told, kind=URL_REFUSED, errors=[field])
    told = f"the secret cannot be taken: {error}"
    field = FieldError(pointer="#/secret", detail=str(error))
    return ProblemError(422, told, kind=INVALID_REQUEST, errors=[field])


def install(app: FastAPI) -> None:
    async def answer(request: Request, error: Exception) -> Response:
        return response_of(problem_of(error), request)

    for kind in (
        EndpointNotFoundError,
        DeliveryNotFoundError,
        EndpointDisabledError,
        DeliveryPendingError,
        RefusedUrlError,
        KeyFormatError,
    ):
        app.add_exception_handler(kind, answer)
