"""HTTP/1.1 by the letter: what two readers of the same bytes could understand differently is refused (RFC 9112)."""

import re

import h11

from producers.rest.limits import MAX_HEAD_BYTES, MAX_REQUEST_LINE_BYTES

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/([0-9])\.[0-9]\r?")
_HEAD_END = re.compile(rb"\n\r?\n")
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\r\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([^\r]*?)[ \t]*\r", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,18}")
_HOST = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_ABSOLUTE = re.compile(rb"https?://(?P<host>[^/?#@]+)(?P<rest>[/?].*)?", re.IGNORECASE)


class RefusedError(h11.RemoteProtocolError):
    """The request cannot be served; the text says why, and `error_status_hint` is the status of the answer."""


class StrictConnection(h11.Connection):
    """A server's side of HTTP/1.1 without the leniency of h11: bare line feeds, folded lines, two lengths."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self.refusal = RefusedError("the bytes that came are no HTTP/1.1 request")

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client; an empty line before a request is passed over, as the standard asks."""
        if data[:2] == b"\r\n" and self.their_state is h11.IDLE and not self.trailing_data[0]:
            data = data[2:]
            if not data:
                return
        super().receive_data(data)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what came next; where it raises, `refusal` says why."""
        try:
            if self.their_state is not h11.IDLE:
                return super().next_event()
            head = _head(self.trailing_data[0])
            event = super().next_event()
            return _unambiguous(event, head) if isinstance(event, h11.Request) else event
        except RefusedError as error:
            self.refusal = error
            raise
        except h11.RemoteProtocolError as error:
            what = str(error).partition(": bytearray")[0]
            self.refusal = RefusedError(
                f"the request is not understood: {what}", error.error_status_hint
            )
            raise


def _head(received: bytes) -> bytes:
    """Return the head of a request as far as it has come, once it is sure that it can become one."""
    line, newline, _ = received.partition(b"\n")
    if len(line) > MAX_REQUEST_LINE_BYTES:
        raise RefusedError(f"the target is longer than {MAX_REQUEST_LINE_BYTES} bytes", 414)
    if newline:
        _check_line(line)
    end = _HEAD_END.search(received)
    head = received[: end.end()] if end else received
    if len(head) > MAX_HEAD_BYTES:
        raise RefusedError(f"the header fields are larger than {MAX_HEAD_BYTES} bytes", 431)
    if _is_ambiguous(head.removesuffix(b"\r")):
        raise RefusedError(
            "the head of the request has a control character, a line that is folded "
            "or one that does not end with CR and LF"
        )
    return head


def _is_ambiguous(head: bytes) -> bool:
    # counted rather than searched for by a regular expression: that takes ten times as long
    lines = head.count(b"\r\n")
    whole = head.count(b"\n") == lines == head.count(b"\r")
    folded = b"\n " in head or b"\n\t" in head
    return not whole or folded or len(head.translate(None, _CONTROLS)) != len(head)


def _check_line(line: bytes) -> None:
    found = _REQUEST_LINE.fullmatch(line)
    if not found:
        raise RefusedError("the first line is no method, target and HTTP version")
    if found[1] != b"1":
        raise RefusedError("only HTTP/1.1 and HTTP/1.0 are spoken here", 505)


def _unambiguous(request: h11.Request, head: bytes) -> h11.Request:
    """Return a request whose body has one length and whose target is a path."""
    names = [name for name, _ in request.headers]
    if b"transfer-encoding" in names and (
        b"content-length" in names or request.http_version < b"1.1"
    ):
        raise RefusedError("Transfer-Encoding excludes Content-Length and HTTP/1.0")
    if b"content-length" in names:
        lengths = _LENGTH.findall(head)
        if len(lengths) != 1 or not _DIGITS.fullmatch(lengths[0]):
            raise RefusedError("Content-Length must be there once and be a number")
    if names.count(b"content-type") > 1:
        raise RefusedError("Content-Type must be there once")
    for name, value in request.headers:
        if name == b"host" and not _HOST.fullmatch(value):
            raise RefusedError("Host must be a name or address, and a port at most")
        if name == b"expect" and value.lower() != b"100-continue" and request.http_version > b"1.0":
            raise RefusedError("no expectation but 100-continue can be met", 417)
    return request if request.target[:1] == b"/" else _with_path(request)


def _with_path(request: h11.Request) -> h11.Request:
    """Return a request whose target is a path, or the `*` of OPTIONS."""
    if request.method == b"OPTIONS" and request.target == b"*":
        return request
    absolute = _ABSOLUTE.fullmatch(request.target)
    if not absolute or not _HOST.fullmatch(absolute["host"]):
        raise RefusedError("the target must be a path, or a URL of http")
    rest = absolute["rest"] or b"/"
    return h11.Request(
        method=request.method,
        target=rest if rest[:1] == b"/" else b"/" + rest,
        headers=request.headers,
        http_version=request.http_version,
    )
