"""What goes wrong with webhooks, as problems: the errors of the handlers and of what judges URLs and keys."""

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from cdc.logs import FieldLogger
from cdc.service import StartError
from producers.rest.problems import ProblemError, response_of, unavailable
from producers.webhooks.addresses import RefusedUrlError
from producers.webhooks.events import FilterError
from producers.webhooks.handlers import (
    DeliveryNotFoundError,
    DeliveryPendingError,
    EndpointDisabledError,
    EndpointNotFoundError,
)
from producers.webhooks.signing import KeyFormatError
from schemas.rest.problem import INVALID_REQUEST, FieldError, ProblemType
from schemas.rest.webhooks import (
    DELIVERY_NOT_FOUND,
    DELIVERY_STATE,
    ENDPOINT_NOT_FOUND,
    ENDPOINT_STATE,
    URL_REFUSED,
)

log = FieldLogger(__name__)


PROBLEMS: Mapping[type[Exception], ProblemError] = {
    EndpointNotFoundError: ProblemError(404, "there is no such endpoint", kind=ENDPOINT_NOT_FOUND),
    DeliveryNotFoundError: ProblemError(
        404,
        "there is no such delivery; what is over is forgotten after a while",
        kind=DELIVERY_NOT_FOUND,
    ),
    EndpointDisabledError: ProblemError(
        409,
        "the endpoint is disabled, and nothing is sent to it; enable it first",
        kind=ENDPOINT_STATE,
    ),
    DeliveryPendingError: ProblemError(
        409,
        "the delivery is under way already; wait for it, or recover the endpoint to have it tried at once",
        kind=DELIVERY_STATE,
    ),
    StartError: unavailable(
        "there is no key to seal secrets with; who runs this service is told more in its log",
        retry_after_s=60,
    ),
}


def problem_of(error: Exception) -> ProblemError:
    match error:
        case RefusedUrlError():
            told = f"the URL is not called from here: {error}; give another one"
            return _field_problem(told, URL_REFUSED, "#/url", error)
        case FilterError():
            told = f"the filter cannot be taken: {error}"
            return _field_problem(told, INVALID_REQUEST, f"#/filter/{error.field}", error)
        case KeyFormatError():
            told = f"the secret cannot be taken: {error}"
            return _field_problem(told, INVALID_REQUEST, "#/secret", error)
    return PROBLEMS[type(error)]


def _field_problem(told: str, kind: ProblemType, pointer: str, error: Exception) -> ProblemError:
    field = FieldError(pointer=pointer, detail=str(error))
    return ProblemError(422, told, kind=kind, errors=[field])


def install(app: FastAPI) -> None:
    async def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, StartError):
            log.error("webhooks cannot be registered", because=str(error))
        return response_of(problem_of(error), request)

    for kind in (*PROBLEMS, RefusedUrlError, FilterError, KeyFormatError):
        app.add_exception_handler(kind, answer)
