"""Why a request has no reply. None of these has changed anything: whoever asked may ask again."""


class RequestError(Exception):
    """A request has no reply; the text says whose, why, and what to do."""


class RequestTimeoutError(RequestError):
    """No reply came in time."""


class TooManyRequestsError(RequestError):
    """As many requests as there may be wait for their replies; this one was not sent."""


class RequestNotSentError(RequestError):
    """Kafka refused the request."""


class UnusableReplyError(RequestError):
    """A reply came, and it is not what this program reads."""
