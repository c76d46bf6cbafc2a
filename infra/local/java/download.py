"""Parallel downloads that resume where they were cut, and appear under their name only when verified."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import httpx2

from infra.errors import TailraceError
from schemas.proxies import heeded

CONNECTIONS = 8
ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
CHUNK_BYTES = 256 * 1024
TIMEOUT = httpx2.Timeout(30.0, connect=10.0)


class ArtifactError(TailraceError):
    """A Java artifact cannot be had."""


# Told how far the downloads have come: the name of the file of which something has arrived, the bytes that have arrived
# of all files, and those that are to come in all. Never called by two threads at once.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch."""

    url: str
    target: Path  # where to; its bytes arrive beside it in `<target>.part`
    sha256: str
    size: int

    @property
    def partial(self) -> Path:
        """Where the bytes arrive; left there when a download is interrupted."""
        return self.target.with_name(f"{self.target.name}.part")


class _RetryError(Exception):
    """The server may do better next time."""


class _StoppedError(Exception):
    """Another download has failed, so this one is given up."""


class _Tally:
    """Adds up what the threads have received, and tells `progress`."""

    def __init__(self, total_bytes: int, progress: Progress | None) -> None:
        self._total_bytes = total_bytes
        self._progress = progress
        self._received: dict[str, int] = {}
        self._lock = threading.Lock()

    def note(self, name: str, received_bytes: int) -> None:
        with self._lock:
            self._received[name] = received_bytes
            if self._progress:
                self._progress(name, sum(self._received.values()), self._total_bytes)


def download_all(downloads: Sequence[Download], *, progress: Progress | None = None) -> None:
    """Fetch the files in parallel, the largest first; the first failure ends all of them."""
    tally = _Tally(sum(download.size for download in downloads), progress)
    stop = threading.Event()
    through_proxies = any(heeded(download.url) for download in downloads)
    largest_first = sorted(downloads, key=lambda download: -download.size)
    with (
        httpx2.Client(timeout=TIMEOUT, follow_redirects=True, trust_env=through_proxies) as client,
        ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="download") as pool,
    ):
        futures = [pool.submit(_fetch, client, each, tally.note, stop) for each in largest_first]
        try:
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    for error in filter(None, (future.exception() for future in finished)):
        if not isinstance(error, _StoppedError):
            raise error


def _fetch(
    client: httpx2.Client,
    download: Download,
    note: Callable[[str, int], None],
    stop: threading.Event,
) -> None:
    download.target.parent.mkdir(parents=True, exist_ok=True)
    reason = ""
    for attempt in range(ATTEMPTS):
        # the first attempt does not pause; later ones double their pause
        if stop.wait(FIRST_PAUSE_S * 2 ** (attempt - 1) if attempt else 0):
            raise _StoppedError
        try:
            resumed = _receive(client, download, note, stop)
        except (_RetryError, httpx2.RequestError) as error:
            reason = str(error) or type(error).__name__
            continue
        if _is_genuine(download):
            download.partial.replace(download.target)
            return
        download.partial.unlink()
        reason = "what was left of an earlier download is damaged"
        if not resumed:
            raise ArtifactError(
                f"{download.url} sent a file that is not the locked {download.target.name} (its size or "
                "sha256 differs), so it was discarded: the mirror or proxy in between alters it; set "
                "TAILRACE_MAVEN_MIRROR to another Maven repository."
            )
    raise ArtifactError(
        f"{download.target.name} could not be downloaded from {download.url} ({reason}): check the "
        "network and proxy settings, or set TAILRACE_MAVEN_MIRROR to a Maven repository you can "
        "reach, and run the command again; what has arrived is kept."
    )


def _receive(
    client: httpx2.Client,
    download: Download,
    note: Callable[[str, int], None],
    stop: threading.Event,
) -> bool:
    """Append what is missing to the partial file; tell whether some of it was there before."""
    present = download.partial.stat().st_size if download.partial.exists() else 0
    if present >= download.size:
        return True
    headers = {"Accept-Encoding": "identity"}
    if present:
        headers["Range"] = f"bytes={present}-"
    with client.stream("GET", download.url, headers=headers) as response:
        resumed = _accept(response, download, present)
        received = present if resumed else 0
        with download.partial.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_raw(CHUNK_BYTES):
                if stop.is_set():
                    raise _StoppedError
                received += len(chunk)
                if received > download.size:
                    break
                file.write(chunk)
                note(download.target.name, received)
    return resumed


def _accept(response: httpx2.Response, download: Download, present: int) -> bool:
    """Tell whether the answer continues the partial file (True) or begins anew (False)."""
    status = response.status_code
    if status == httpx2.codes.PARTIAL_CONTENT:
        if present and response.headers.get("Content-Range", "").startswith(f"bytes {present}-"):
            return True
        raise _RetryError("the server sent another part of the file than was asked for")
    if status == httpx2.codes.OK:
        return False
    if status == httpx2.codes.RANGE_NOT_SATISFIABLE:
        download.partial.unlink()
        raise _RetryError("the server's file is shorter than expected")
    if response.is_server_error or status in (
        httpx2.codes.REQUEST_TIMEOUT,
        httpx2.codes.TOO_MANY_REQUESTS,
    ):
        raise _RetryError(f"the server answered {status}")
    raise ArtifactError(
        f"{download.target.name} is not to be had: {download.url} answered {status}; set "
        "TAILRACE_MAVEN_MIRROR to a complete Maven repository, or unset it to use the central one."
    )


def _is_genuine(download: Download) -> bool:
    if download.partial.stat().st_size != download.size:
        return False
    with download.partial.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == download.sha256
