"""How to reach a schema registry: address, credentials, TLS, patience. Secrets are named by file, never held."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

PREFIX = "TAILRACE_REGISTRY_"
DAY_S = 86_400


class RegistrySettingsError(ValueError):
    """A setting of the registry client is missing, contradicts another, or names a file that cannot be read."""

    exit_code = 2  # as of any other setting: who called has to say something else


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """Where a registry is and how to speak to it; Apicurio's and Confluent's take the same."""

    # base URL of its Confluent-compatible API, such as `http://127.0.0.1:18081/apis/ccompat/v7`
    url: str
    user: str | None = None
    password_file: Path | None = None  # file with the password of `user`
    # file with a bearer token, read again for each request, so that it may be renewed
    token_file: Path | None = None
    ca_file: Path | None = None  # certificates to trust instead of the usual authorities
    certificate_file: Path | None = None
    key_file: Path | None = None  # its private key (PEM), unless the certificate's file holds it
    timeout_s: float = 5.0
    retries: int = 3  # how often a request is repeated that met no answer or a passing failure
    # longest pause before the first repetition; doubled for each that follows, the pause itself being a random
    # part of it
    retry_wait_ms: int = 200
    retry_max_wait_ms: int = 5_000

    def __post_init__(self) -> None:
        parts = _parts(self.url)
        require = {
            "url must begin with http:// or https://": parts.scheme in {"http", "https"},
            "url names no host": bool(parts.hostname),
            "url must hold no credentials; use user and password_file": parts.username is None,
            "user and password_file go together": (self.user is None)
            == (self.password_file is None),
            "user must not hold a colon": ":" not in (self.user or ""),
            "user and token_file exclude each other": not (self.user and self.token_file),
            "key_file needs certificate_file": not (self.key_file and not self.certificate_file),
            "timeout_s must be above 0, and at most a day": 0 < self.timeout_s <= DAY_S,
            "retries must be 0 to 1,000": 0 <= self.retries <= 1000,
            "waits must not be negative, and at most a day": all(
                0 <= wait <= DAY_S * 1000 for wait in (self.retry_wait_ms, self.retry_max_wait_ms)
            ),
        }
        for rule, is_kept in require.items():
            if not is_kept:
                raise RegistrySettingsError(f"the registry's settings cannot be used: {rule}")

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, url: str | None = None
    ) -> Self:
        """Return the settings of the `TAILRACE_REGISTRY_*` variables, named like the fields.

        Args:
            environment: The variables; empty ones count as unset.
            url: Takes the place of `TAILRACE_REGISTRY_URL`.
        """
        values: dict[str, Any] = {}
        for field, read in _READERS.items():
            text = environment.get(PREFIX + field.upper())
            if text:
                values[field] = _converted(PREFIX + field.upper(), text, read)
        if url is not None:
            values["url"] = url
        if "url" not in values:
            raise RegistrySettingsError(f"{PREFIX}URL is not set: give it the registry's address")
        return cls(**values)

    def environment(self) -> dict[str, str]:
        """Return the variables from which `from_environment` makes these settings; secrets are named, not held."""
        told = {field: getattr(self, field) for field in _READERS}
        default = type(self)(url=self.url)
        return {
            PREFIX + field.upper(): str(value)
            for field, value in told.items()
            if field == "url" or value != getattr(default, field)
        }

    def client_configuration(self) -> dict[str, Any]:
        """Return what `SchemaRegistryClient` takes. It holds the password: keep it out of logs."""
        configuration: dict[str, Any] = {
            "url": self.url,
            "timeout": self.timeout_s,
            "max.retries": self.retries,
            "retries.wait.ms": self.retry_wait_ms,
            "retries.max.wait.ms": self.retry_max_wait_ms,
        }
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
        }
        configuration |= {key: str(path) for key, path in files.items() if path}
        if self.url.startswith("http://"):
            # the client would read the usual authorities first, for longer than it takes to ask
            configuration.setdefault("ssl.ca.location", False)
        if self.password_file:
            configuration["basic.auth.user.info"] = f"{self.user}:{_secret(self.password_file)}"
        if self.token_file:
            configuration |= {
                "bearer.auth.credentials.source": "CUSTOM",
                "bearer.auth.custom.provider.function": _bearer,
                "bearer.auth.custom.provider.config": {"file": self.token_file},
            }
        return configuration


_READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("url", "user"), str),
    **dict.fromkeys(
        ("password_file", "token_file", "ca_file", "certificate_file", "key_file"), Path
    ),
    "timeout_s": float,
    **dict.fromkeys(("retries", "retry_wait_ms", "retry_max_wait_ms"), int),
}


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read only when it is asked for
    except ValueError as error:
        raise RegistrySettingsError(
            f"the registry's settings cannot be used: url cannot be read ({error})"
        ) from error
    return parts


def _converted(variable: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise RegistrySettingsError(f"{variable} should be a number but is {text!r}") from error


def _bearer(configuration: Mapping[str, Path]) -> dict[str, str]:
    token = _secret(configuration["file"])
    return {"bearer.auth.token": token, "bearer.auth.logical.cluster": ""}


def _secret(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise RegistrySettingsError(
            f"the registry's credentials cannot be read from {file} ({error.strerror}): "
            "make the file readable, or name another"
        ) from error
