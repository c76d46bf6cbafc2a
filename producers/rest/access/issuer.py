"""What can be set of an issuer of tokens: where its keys are, and the algorithms that it may sign by."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "Ed25519": ("OKP", "Ed25519"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Algorithms that can be allowed, with type and curve of their keys: none of them verifies by what also signs."""


def is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def require_trusted(place: str) -> str:
    """Refuse a URL whose answer anybody on the way could have written.

    Raises:
        ValueError: it is neither https nor of this machine.
    """
    if not is_url(place):
        return place
    parts = urlsplit(place)
    if parts.username is not None or parts.password is not None or not parts.hostname:
        raise ValueError("the URL of a key set has a host and no credentials")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("a key set is fetched by https, or from this machine")
    return place


def is_loopback(host: str) -> bool:
    """Tell whether a host, as a setting names it, is this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
