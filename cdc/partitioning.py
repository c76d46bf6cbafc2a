"""Which partition Java's producers, and ours, send a key to."""

import struct

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
MASK = 0xFFFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: its murmur2 hash without the sign, modulo the number of partitions."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    h = (SEED ^ len(data)) & MASK
    whole = len(data) & ~3
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        mixed = k * MULTIPLIER & MASK
        mixed ^= mixed >> 24
        h = (h * MULTIPLIER & MASK) ^ (mixed * MULTIPLIER & MASK)
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * MULTIPLIER & MASK
    h ^= h >> 13
    h = h * MULTIPLIER & MASK
    return h ^ (h >> 15)
