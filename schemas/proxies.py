"""The proxies that the environment names, such as `HTTP_PROXY`: who is asked through them, and who is not."""

import os
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

SCHEMES = ("http", "https", "all")


class ProxyError(ValueError):
    """The environment names a proxy that cannot be used; the text says which variable, and never what it holds."""


def heeded(url: str) -> bool:
    """Tell whether a client for a URL is to heed the environment's proxies, which are meant for the outside.

    Raises:
        ProxyError: they are, and one of them is of a kind that no client of ours can use.
    """
    if is_here(url):
        return False
    _require_usable()
    return True


def is_here(url: str) -> bool:
    """Tell whether a URL leads to this machine itself."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _require_usable() -> None:
    """Refuse a proxy that the HTTP library would end in a traceback for, whether it would be used or not."""
    import httpx2  # most who ask about this machine need no more of it than they have

    told = getproxies()
    for scheme in SCHEMES:
        if not (proxy := told.get(scheme)) or "*" in told.get("no", "").split(","):
            continue
        try:
            # as the library does: it makes a connection pool for each proxy, before it knows which it needs
            with httpx2.HTTPTransport(
                proxy=proxy if "://" in proxy else f"http://{proxy}", verify=False
            ):
                pass
        except (ValueError, ImportError, httpx2.InvalidURL) as error:
            raise ProxyError(
                f"{_variable(scheme)} names a proxy that cannot be used: it must be http://host:port or "
                "https://host:port; correct the variable, or unset it for this command"
            ) from error


def _variable(scheme: str) -> str:
    name = f"{scheme}_proxy"
    return next((each for each in os.environ if each.lower() == name), name.upper())
