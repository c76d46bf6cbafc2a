"""Asking a registry over HTTP: bounded in time, and by whichever of its servers answers."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from producers.discovery.instances import SourceError
from producers.discovery.registries.registry_url import Options, RegistryAddress

CONNECT_TIMEOUT_S = 1.0
TOLD_CHARACTERS = 200  # of what a registry says when it refuses


class RegistryClient:
    """Asks one registry.

    Args:
        http: Its connections.
        address: Where its servers are.
        options: How they are asked.
    """

    def __init__(
        self, http: httpx2.AsyncClient, address: RegistryAddress, options: Options
    ) -> None:
        self._http = http
        self._name = address.name
        self._scheme = "https" if options.tls else "http"
        self._servers = address.servers
        self._timeout_s = options.timeout_s
        self._chosen = 0

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        wait_s: float = 0.0,
    ) -> httpx2.Response:
        """Return the answer, whatever its status below 500.

        Args:
            wait_s: How long the registry may keep the question for, beside the time that it has for an answer.

        Raises:
            SourceError: no server of the registry answers.
        """
        parts = {"params": params, "headers": headers, "json": body}
        timeout_s = self._timeout_s + wait_s
        return await self._anywhere(method, path, parts, timeout_s=timeout_s, streams=False)

    @asynccontextmanager
    async def stream(
        self, path: str, *, body: object, silent_s: float
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Post, and give the lines of the answer as they come.

        Args:
            silent_s: When nothing has come for so long, the block ends with TimeoutError.

        Raises:
            SourceError: no server of the registry answers, or the stream breaks.
        """
        parts = {"json": body}
        response = await self._anywhere("POST", path, parts, timeout_s=silent_s, streams=True)
        try:
            if response.status_code != httpx2.codes.OK:
                await response.aread()
                raise refused(self._name, response)
            yield response.aiter_lines()
        except httpx2.ReadTimeout as error:
            raise TimeoutError(f"nothing has come for {silent_s:g} s") from error
        except httpx2.HTTPError as error:
            raise SourceError(f"{self._name} broke off: {_told(error)}") from error
        finally:
            await response.aclose()

    async def _anywhere(
        self, method: str, path: str, parts: Mapping[str, Any], *, timeout_s: float, streams: bool
    ) -> httpx2.Response:
        """Ask the server that answered last, and then each of the others."""
        told = ""
        for _ in self._servers:
            url = f"{self._scheme}://{self._servers[self._chosen]}{path}"
            timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
            request = self._http.build_request(method, url, timeout=timeout, **parts)
            try:
                async with asyncio.timeout(timeout_s):  # the other bounds hold for each part of it
                    response = await self._http.send(request, stream=streams)
                if not response.is_server_error:
                    return response
                if streams:
                    await response.aread()
                told = str(refused(self._name, response))
            except (httpx2.HTTPError, TimeoutError) as error:
                told = f"{self._name} does not answer: {_told(error)}"
            self._chosen = (self._chosen + 1) % len(self._servers)
        raise SourceError(told)


def refused(name: str, response: httpx2.Response) -> SourceError:
    """Return what is told of an answer that is none."""
    said = " ".join(response.text.split())[:TOLD_CHARACTERS]
    return SourceError(
        f"{name} refuses {response.request.method} {response.request.url.path} with {response.status_code}: {said}"
    )


def document(name: str, response: httpx2.Response) -> Any:
    """Return what stands in an answer with 200.

    Raises:
        SourceError: it has another status, or is no JSON.
    """
    if response.status_code != httpx2.codes.OK:
        raise refused(name, response)
    try:
        return response.json()
    except ValueError as error:
        raise SourceError(f"{name} answers {response.request.url.path} without JSON") from error


def read_secret(file: Path) -> str:
    """Return the line that stands in a file.

    Raises:
        SourceError: there is none.
    """
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError:
        secret = ""  # whoever names what is wrong with it would tell some of it
    if not secret.isprintable() or not secret:
        raise SourceError(f"{file} must hold a secret, in one line of text")
    return secret


@asynccontextmanager
async def open_registry(
    address: RegistryAddress, options: Options, *, auth: httpx2.Auth | None = None
) -> AsyncIterator[RegistryClient]:
    """Open the connections to a registry, and close them at the end."""
    async with httpx2.AsyncClient(
        timeout=options.timeout_s,
        trust_env=False,  # a proxy meant for the outside has no business on the way to a registry
        verify=ssl.create_default_context(cafile=options.ca_file) if options.tls else False,
        auth=auth,
    ) as http:
        yield RegistryClient(http, address, options)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
