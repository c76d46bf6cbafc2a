"""Requests in bytes that a server must not misunderstand, each with the status of the answer it deserves."""

HOST = b"host: shop\r\n"
CLOSE = b"connection: close\r\n"
JSON = b"content-type: application/json\r\n"


def get(target: bytes, *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """Return a request without a body."""
    head = b"".join((method, b" ", target, b" HTTP/", version, b"\r\n", HOST, *fields))
    return head + CLOSE + b"\r\n"


def post(*fields: bytes, body: bytes = b"{}", version: bytes = b"1.1") -> bytes:
    """Return a request with a body, whose length the fields tell."""
    head = b"".join((b"POST /v1/orders HTTP/", version, b"\r\n", HOST, *fields))
    return head + CLOSE + b"\r\n" + body


CHUNKED = b"transfer-encoding: chunked\r\n"
TWO = b"content-length: 2\r\n"

REFUSED = {
    "two framings": (post(TWO, CHUNKED, body=b"0\r\n\r\n"), 400),
    "two framings the other way": (post(CHUNKED, TWO, body=b"0\r\n\r\n"), 400),
    "chunks in HTTP/1.0": (post(CHUNKED, body=b"0\r\n\r\n", version=b"1.0"), 400),
    "length twice": (post(TWO, TWO), 400),
    "length and another": (post(TWO, b"content-length: 3\r\n"), 400),
    "length as a list": (post(b"content-length: 2, 2\r\n"), 400),
    "length with a plus": (post(b"content-length: +2\r\n"), 400),
    "length below zero": (post(b"content-length: -2\r\n"), 400),
    "length in hexadecimal": (post(b"content-length: 0x2\r\n"), 400),
    "length empty": (post(b"content-length:\r\n"), 400),
    "length of 19 digits": (post(b"content-length: 1000000000000000000\r\n"), 400),
    "coding unknown": (post(b"transfer-encoding: gzip, chunked\r\n"), 501),
    "coding twice": (post(CHUNKED, CHUNKED), 501),
    "coding disguised": (post(b"transfer-encoding: xchunked\r\n"), 501),
    "chunk size of letters": (post(CHUNKED, body=b"xyz\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk size below zero": (post(CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk size beyond bounds": (post(CHUNKED, body=b"f" * 30 + b"\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk size with 0x": (post(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk longer than it says": (post(CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk with a bare line feed": (post(CHUNKED, body=b"2\n{}\r\n0\r\n\r\n"), 400),
    "trailer that is none": (post(CHUNKED, body=b"2\r\n{}\r\n0\r\nno trailer\r\n\r\n"), 400),
    "line folded": (get(b"/health", b"x: a\r\n b\r\n"), 400),
    "line feeds only": (b"GET /health HTTP/1.1\nhost: x\n\n", 400),
    "carriage return in a value": (get(b"/health", b"x: a\rb\r\n"), 400),
    "NUL in a value": (get(b"/health", b"x: a\0b\r\n"), 400),
    "control character in a value": (get(b"/health", b"x: a\x01b\r\n"), 400),
    "blank before the colon": (get(b"/health", b"x : a\r\n"), 400),
    "field without a name": (get(b"/health", b": a\r\n"), 400),
    "field without a colon": (get(b"/health", b"x\r\n"), 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get(b"/health", HOST), 400),
    "host with a path": (b"GET /health HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
    "host broken": (b"GET /health HTTP/1.1\r\nhost: [::1\r\n\r\n", 400),
    "content type twice": (post(TWO, JSON, b"content-type: text/plain\r\n"), 400),
    "expectation unknown": (post(TWO, b"expect: 200-ok\r\n"), 417),
    "target too long": (get(b"/" + b"x" * 9000), 414),
    "target that does not end": (b"GET /" + b"x" * 9000, 414),
    "field too long": (get(b"/health", b"x: " + b"x" * 20_000 + b"\r\n"), 431),
    "fields too many": (get(b"/health", *[b"x: y\r\n"] * 4000), 431),
    "fields without end": (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000, 431),
    "target with a user": (get(b"http://a@shop/health"), 400),
    "target of another scheme": (get(b"ftp://shop/health"), 400),
    "target of no path": (get(b"health"), 400),
    "target star": (get(b"*"), 400),
    "tunnel": (get(b"shop:80", method=b"CONNECT"), 400),
    "HTTP/0.9": (b"GET /health\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/3.1": (get(b"/health", version=b"3.1"), 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "two blanks": (b"GET  /health HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    "not ASCII in the target": (get("/ä".encode()), 400),
    "compressed": (post(TWO, JSON, b"content-encoding: gzip\r\n"), 415),
    "compressed twice": (
        post(TWO, JSON, b"content-encoding: identity\r\ncontent-encoding: br\r\n"),
        415,
    ),
    "deflated": (post(TWO, JSON, b"content-encoding: DEFLATE\r\n"), 415),
    "charset": (post(TWO, b"content-type: application/json; charset=utf-16\r\n"), 415),
    "too large, and told": (post(b"content-length: 99999999999\r\n"), 413),
    "too large, and asked": (post(b"content-length: 2000000\r\nexpect: 100-continue\r\n"), 413),
    "too large in chunks": (post(CHUNKED, body=b"1e8480\r\n" + b" " * 2_000_000), 413),
    "too large for HTTP/1.0": (
        post(b"content-length: 3000000\r\n", body=b" " * 3_000_000, version=b"1.0"),
        413,
    ),
    "wrong path with a large body": (
        post(b"content-length: 3000000\r\n", body=b" " * 3_000_000).replace(b"/v1", b"/v0"),
        404,
    ),
    "dots in the path": (get(b"/%2e%2e/health"), 404),
    "NUL in the path": (get(b"/health%00"), 404),
    "bytes that are no text in the path": (get(b"/%ff%fe"), 404),
    "two slashes": (get(b"//health"), 404),
    "method unknown": (get(b"/health", method=b"BREW"), 405),
    "TRACE": (get(b"/health", method=b"TRACE"), 405),
}
"""Requests that are no requests, or bad ones, by name."""

ANSWERED = {
    "absolute target": (get(b"http://shop/health?x=1"), 200),
    "absolute target without a path": (get(b"HTTP://shop"), 200),
    "absolute target, host twice": (get(b"http://[::1]:80/health"), 200),
    "HEAD": (get(b"/health", method=b"HEAD"), 200),
    "HEAD of what is not there": (get(b"/nowhere", method=b"HEAD"), 404),
    "HEAD of what takes a POST": (get(b"/v1/orders", method=b"HEAD"), 405),
    "OPTIONS": (get(b"/v1/orders", method=b"OPTIONS"), 204),
    "OPTIONS of everything": (get(b"*", method=b"OPTIONS"), 204),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", 200),
    "empty line first": (b"\r\n" + get(b"/health"), 200),
    "upgrade to HTTP/2": (get(b"/health", b"upgrade: h2c\r\nhttp2-settings: AAM\r\n"), 200),
    "upgrade to a websocket": (get(b"/health", b"upgrade: websocket\r\n"), 200),
    "query of anything": (get(b"/health?%00&=&a=%ff&//..?"), 200),
    "colour of bytes": (get(b"/health", b"x: \xff\xfe\r\n"), 200),
    "chunks with extensions and a trailer": (
        post(CHUNKED, body=b"1;a=b\r\n{\r\n1\r\n}\r\n0\r\nx: y\r\n\r\n"),
        422,
    ),
    "expectation in HTTP/1.0": (post(TWO, b"expect: 200-ok\r\n", version=b"1.0"), 422),
}
"""Unusual requests that are in order."""
