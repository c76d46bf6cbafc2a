"""Short digests of records, so that a million of them can be compared without being kept."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

SIZE = 8
"""Bytes of a digest: two records that differ by accident have the same one once in 2^64 times."""

NOTHING = bytes(SIZE)
"""The digest of what is absent."""


class Fingerprint(NamedTuple):
    """Digests of the parts of a record."""

    key: bytes
    value: bytes
    headers: bytes

    def differing(self, other: "Fingerprint") -> list[str]:
        return [
            name
            for name, mine, theirs in zip(self._fields, self, other, strict=True)
            if mine != theirs
        ]


def fingerprint(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> Fingerprint:
    """Return the digests of a record.

    Args:
        headers: Its headers; their order counts.
    """
    return Fingerprint(_digest(key), _digest(value), _digest(_packed(headers)))


def _digest(part: bytes | None) -> bytes:
    return NOTHING if part is None else blake2b(part, digest_size=SIZE).digest()


def _packed(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    # one without a value says as much as one that is not there, as in records of before there was a header
    return b"".join(
        [
            b"%b=%d:%b" % (name.encode(), len(value), value)
            for name, value in headers
            if value is not None
        ]
    )
