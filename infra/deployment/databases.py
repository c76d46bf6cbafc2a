"""Which contexts have a database of their own, and by how many connectors each is captured, as settings say.

What could not work is refused.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra.deployment import CONTEXTS, MAIN, Capture

NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
"""Names of databases, which slots and connectors are named after."""
TAKEN = frozenset({MAIN, "postgres", "registry", "template0", "template1"})
MAX_SHARDS = 8
"""Of a database: each has all of the WAL decoded for it, and servers have ten slots unless told otherwise."""


class PairsError(ValueError):
    """What is said of databases cannot be; the text goes on from the name of the setting, without a full stop."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """Where each context is."""

    main: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]  # database -> contexts that have it for their own


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Return (context, database) as in `payments=ledger,inventory=ledger`."""
    pairs = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        context, equals, name = (part.strip() for part in each.partition("="))
        if not (context and equals and name):
            raise PairsError(
                f"has the part {each!r}: write context=database, with commas between several, such as payments=ledger"
            )
        pairs.append((context, name))
    return pairs


def contexts_of(own: Mapping[str, Sequence[str]]) -> Contexts:
    """Return where each context is.

    Args:
        own: Database -> contexts that are to have it for their own.

    Raises:
        PairsError: a context is unknown or is given two databases, or a database cannot be called so.
    """
    for name in own:
        if name in TAKEN or not NAME.fullmatch(name):
            raise PairsError(
                f"names a database {name!r}: use lower-case letters, digits and _, 30 at most, since slot and "
                f"connector are named after it, and none of {', '.join(sorted(TAKEN))}"
            )
    given = Counter(context for contexts in own.values() for context in contexts)
    if unknown := sorted(given.keys() - set(CONTEXTS)):
        raise PairsError(
            f"names the context {unknown[0]!r}, which is none: there are {', '.join(CONTEXTS)}"
        )
    if twice := [context for context, times in given.items() if times > 1]:
        raise PairsError(
            f"gives the context {twice[0]} more than one database: its rows can be in one only, so leave one out"
        )
    main = tuple(context for context in CONTEXTS if context not in given)
    return Contexts(main, {name: tuple(contexts) for name, contexts in own.items()})


def contexts_told(text: str) -> Contexts:
    """Return where each context is, by a line such as `payments=ledger`."""
    own: dict[str, list[str]] = {}
    for context, name in read_pairs(text):
        own.setdefault(name, []).append(context)
    return contexts_of(own)


def read_shards(text: str) -> Mapping[str, int]:
    """Return capture -> number of its shards, as in `main=2,ledger=3`."""
    found: dict[str, int] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (part.strip() for part in each.partition("="))
        if name in found or not re.fullmatch(rf"[1-{MAX_SHARDS}]", number, re.ASCII):
            raise PairsError(
                "must say how many shards a capture has, once for each, with commas between several, such as "
                f"{MAIN}=2: from 1 to {MAX_SHARDS}"
            )
        found[name] = int(number)
    return found


def sharded(captures: Sequence[Capture], text: str) -> tuple[Capture, ...]:
    """Return the captures with as many shards as they are said to have."""
    told, names = read_shards(text), [each.name for each in captures]
    if unknown := sorted(told.keys() - set(names)):
        raise PairsError(
            f"must name captures, and {unknown[0]!r} is none: there are {', '.join(names)}"
        )
    found = tuple(replace(each, shard_count=told.get(each.name, 1)) for each in captures)
    slots = Counter(shard.slot for each in found for shard in each.shards)
    if twice := [slot for slot, times in slots.items() if times > 1]:
        raise PairsError(
            f"must leave apart what would both be called {twice[0]}: rename a database"
        )
    return found


def require_apart(captures: Sequence[Capture]) -> None:
    """Refuse two captures of one database: each has the schemas of canaries and relay there, and a publication."""
    places: dict[tuple[str, int, str], str] = {}
    for each in captures:
        database = each.database
        place = (database.host, database.port, database.name)
        if place in places:
            raise PairsError(
                f"gives {each.name} and {places[place]} one database, {database.name} at {database.host}:"
                f"{database.port}: both would have their publication and canaries there, so name another database"
            )
        places[place] = each.name
