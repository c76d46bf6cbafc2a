"""Asking a local HTTP server whether it is ready: one connection, no client library, no proxy."""

from http.client import HTTPConnection, HTTPException

from infra.settings import HOST

TIMEOUT_S = 1.0


def answers(port: int, path: str) -> bool:
    """Tell whether a GET of the path is answered with 200 within a second.

    Kept apart from `infra.local.probe.http_ok` because it is asked many times a second while the
    JVMs start, and building an HTTP client costs more processor time than the question.
    """
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
