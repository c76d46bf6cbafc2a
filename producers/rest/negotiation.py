"""Which version of the API an exchange is in: what the path, `Accept` and `Content-Type` say, and what follows.

One exchange has one version, for its request and its answer. A path such as `/v1/orders` names it. Where the path does
not, a `Content-Type` that names a version fixes it, and otherwise `Accept` chooses; plain JSON is the newest.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

from producers.rest.problems import ProblemError
from schemas.rest.versions import VENDOR, Version

JSON = "application/json"
OFFER = "offer"  # where the request's state has the offer that was chosen before the route

_WEIGHT = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offer:
    """A form in which a request can be answered."""

    media_type: str
    version: Version


def offers_at(version: Version) -> tuple[Offer, ...]:
    """Return the forms in which a path that names its version can answer, the usual one first."""
    return Offer(JSON, version), Offer(version.media_type, version)


def offers_of(versions: Sequence[Version]) -> tuple[Offer, ...]:
    """Return the forms in which a path without a version can answer, the usual one first."""
    newest_first = sorted(versions, key=lambda version: version.number, reverse=True)
    named = (Offer(version.media_type, version) for version in newest_first)
    return *named, Offer(JSON, newest_first[0])


def preferred(headers: Headers, offers: Sequence[Offer]) -> Offer | None:
    """Return the offer that `Accept` likes best, the first of several; nothing if it takes none of them."""
    accept = ",".join(headers.getlist("accept"))
    if not accept.strip():
        return offers[0]
    weights = dict(_weights(accept))
    best = max(offers, key=lambda offer: _weight(weights, offer.media_type))
    return best if _weight(weights, best.media_type) else None


def names_version(headers: Headers) -> bool:
    return VENDOR in ",".join(headers.getlist("accept")).lower()


def version_of_body(headers: Headers, versions: Sequence[Version]) -> Version | None:
    """Return the version that a body says it is in, nothing if it says none; one not among these is refused (415)."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith(VENDOR):
        return None
    for version in versions:
        if media_type == version.media_type:
            return version
    taken = [JSON, *(version.media_type for version in versions)]
    raise ProblemError(
        415,
        f"a body in this version is not taken here; send {' or '.join(taken)}",
        headers={"accept": ", ".join(taken)},
    )


def not_acceptable(offers: Sequence[Offer], versions: Sequence[Version]) -> ProblemError:
    """Return the problem of a request that takes none of the offers; the versions can be had at other paths."""
    names = " or ".join(offer.media_type for offer in offers)
    elsewhere = ", ".join(version.prefix for version in versions)
    return ProblemError(
        406,
        f"nothing that Accept asks for can be had here; ask for {names}, "
        f"or choose a version by the path ({elsewhere})",
    )


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    """Yield each media range of `Accept` with its weight; parameters other than the weight do not matter here."""
    for item in accept.lower().split(","):
        media_range, *parameters = item.split(";")
        matches = (_WEIGHT.fullmatch(parameter) for parameter in parameters)
        found = [float(match[1]) for match in matches if match]
        yield media_range.strip(), found[0] if found else 1.0


def _weight(weights: dict[str, float], media_type: str) -> float:
    """Return the weight that the most specific range gives a media type."""
    for media_range in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0
