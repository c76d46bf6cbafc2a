"""A Maven repository on loopback that can be told to misbehave."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from infra.local.java.lockfile import Artifact


@dataclass
class Repository:
    """What is served, and how.

    Args:
        files: path -> content.
        url: base URL.
        cut_after: close the connection after so many bytes of a body, once for each entry.
        failures: status codes to answer with first.
        ignores_ranges: answer every request with the whole file.
        requests: path and Range header of what was asked for.
    """

    files: dict[str, bytes]
    url: str = ""
    cut_after: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    ignores_ranges: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def artifact(self, name: str, content: bytes, packaging: str = "jar") -> Artifact:
        """Serve the content, and return what a lock file would say of it."""
        digest = hashlib.sha256(content).hexdigest()
        artifact = Artifact("org.example", name, "1", digest, len(content), packaging)
        self.files[artifact.path] = content
        return artifact


@contextmanager
def serving() -> Iterator[Repository]:
    """Serve an empty repository for the time of the block."""
    repository = Repository({})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, repository)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    repository.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, repository: Repository) -> None:
    path, wanted = handler.path.lstrip("/"), handler.headers.get("Range")
    repository.requests.append((path, wanted))
    if repository.failures:
        handler.send_error(repository.failures.pop(0))
        return
    if path not in repository.files:
        handler.send_error(404)
        return
    content = repository.files[path]
    begin = 0
    if wanted and not repository.ignores_ranges:
        begin = int(wanted.removeprefix("bytes=").rstrip("-"))
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    else:
        handler.send_response(200)
    body = content[begin:]
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: repository.cut_after.pop(0)] if repository.cut_after else body)
