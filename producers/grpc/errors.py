"""What ends a call: the exceptions that say so, and the status that others come to."""

import grpc
import psycopg
from google.protobuf.message import DecodeError

LEAST_S = 0.005
"""Less time than this is not worth beginning: the answer would come after its caller is gone."""


class RefusedError(Exception):
    """Ends a call with a status of its own.

    Args:
        code: What programs branch on.
        sentence: What happened, why, what to do next.
        again_in_ms: After how long the caller is to ask again, where it is.
    """

    def __init__(
        self, code: grpc.StatusCode, sentence: str, *, again_in_ms: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.again_in_ms = again_in_ms


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Return what a caller is told of an error, without what only the log should say."""
    match error:
        case RefusedError():
            return error.code, str(error)
        case TimeoutError() | psycopg.errors.QueryCanceled():
            sentence = "it could not be done in the time that the caller has; ask with more"
            return grpc.StatusCode.DEADLINE_EXCEEDED, sentence
        case DecodeError():
            sentence = "the request is no message of the kind that the method takes"
            return grpc.StatusCode.INVALID_ARGUMENT, sentence
        case psycopg.OperationalError():
            sentence = "the database cannot be reached; nothing was done, try again"
            return grpc.StatusCode.UNAVAILABLE, sentence
    sentence = "internal error; the log of the service has more under the correlation id"
    return grpc.StatusCode.INTERNAL, sentence
