"""The rules of OpenAPI schemas and how a broken one is put into words, for requests and for responses."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, Self

Rule = tuple[str, str, str]
"""Name of the rule, the problem, and the fix."""

_REFUSED = "a request that was accepted is refused now"


class Direction(StrEnum):
    """Who reads what: servers read requests, which may only widen; clients read responses, which may only narrow."""

    REQUEST = "request"
    RESPONSE = "response"


class Kind(StrEnum):
    """What may be wrong with a schema."""

    TYPE = "type"
    VALUE = "value"
    ANY_VALUE = "any-value"
    BOUND_MOVED = "bound-moved"
    BOUND_ONE_SIDED = "bound-one-sided"
    REMOVED = "removed"
    ADDED = "added"
    REQUIRED = "required"
    CLOSED = "closed"
    DEFAULT = "default"
    OPAQUE = "opaque"
    AMBIGUOUS = "ambiguous"


RULES: dict[Direction, dict[Kind, Rule]] = {
    Direction.REQUEST: {
        Kind.TYPE: (
            "request-type-narrowed",
            f"the type went from {{old}} to {{new}}; {_REFUSED}",
            "Keep accepting {old}",
        ),
        Kind.VALUE: (
            "request-value-removed",
            f"the value {{value}} is no longer accepted; {_REFUSED}",
            "Keep accepting {value}",
        ),
        Kind.ANY_VALUE: (
            "request-values-restricted",
            f"nothing but {{values}} is accepted now; {_REFUSED}",
            "Keep accepting any {type}",
        ),
        Kind.BOUND_MOVED: (
            "request-constraint-tightened",
            f"{{keyword}} went from {{old}} to {{new}}; {_REFUSED}",
            "Keep the old {keyword}",
        ),
        Kind.BOUND_ONE_SIDED: (
            "request-constraint-tightened",
            f"{{keyword}} {{value}} was added; {_REFUSED}",
            "Drop the {keyword}",
        ),
        Kind.REMOVED: (
            "request-property-removed",
            "the property was removed; what clients send in it is {fate} now",
            "Keep it, marked deprecated",
        ),
        Kind.ADDED: (
            "request-property-added-required",
            f"the property was added and is required; {_REFUSED}",
            "Make it optional",
        ),
        Kind.REQUIRED: (
            "request-property-made-required",
            f"the property became required; {_REFUSED}",
            "Keep it optional",
        ),
        Kind.CLOSED: (
            "request-closed",
            f"properties that are not declared are no longer allowed; {_REFUSED}",
            "Keep allowing them",
        ),
        Kind.DEFAULT: (
            "request-default-changed",
            "the default went from {old} to {new}; a request that leaves it out means something else now",
            "Keep the old default",
        ),
        Kind.OPAQUE: (
            "request-not-comparable",
            "`{keyword}` changed, and whether all that was accepted still is cannot be told",
            "Leave `{keyword}` as it was",
        ),
        Kind.AMBIGUOUS: (
            "request-alternatives-overlap",
            f"a value may fit several alternatives of oneOf now, which allows one only; {_REFUSED}",
            "Tell them apart by a required property, or use anyOf",
        ),
    },
    Direction.RESPONSE: {
        Kind.TYPE: (
            "response-type-widened",
            "the type went from {old} to {new}; a client that was written for {old} cannot read it",
            "Keep sending {old}",
        ),
        Kind.VALUE: (
            "response-value-added",
            "the value {value} was added; a client that knows the old values only cannot read it",
            "Keep to the old values",
        ),
        Kind.ANY_VALUE: (
            "response-values-opened",
            "any {type} may come now; a client that was promised {values} cannot read others",
            "Keep to the old values",
        ),
        Kind.BOUND_MOVED: (
            "response-constraint-loosened",
            "{keyword} went from {old} to {new}; a client that relies on the old one fails",
            "Keep the old {keyword}",
        ),
        Kind.BOUND_ONE_SIDED: (
            "response-constraint-loosened",
            "{keyword} {value} was dropped; a client that relies on it fails",
            "Keep the {keyword}",
        ),
        Kind.REMOVED: (
            "response-property-removed",
            "the property was removed; a client that reads it finds nothing",
            "Keep it, marked deprecated",
        ),
        Kind.ADDED: (
            "response-property-added-to-closed",
            "the property was added where the contract ruled out others; a strict client refuses it",
            "Leave it out",
        ),
        Kind.REQUIRED: (
            "response-property-made-optional",
            "the property may be missing now; a client that relies on it fails",
            "Always send it",
        ),
        Kind.CLOSED: (
            "response-opened",
            "properties that the contract ruled out may come now; a strict client refuses them",
            "Keep to the declared properties",
        ),
        Kind.OPAQUE: (
            "response-not-comparable",
            "`{keyword}` changed, and whether all that may come was allowed before cannot be told",
            "Leave `{keyword}` as it was",
        ),
    },
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule within a schema."""

    rule: str
    problem: str
    fix: str
    path: tuple[str, ...] = ()
    # tells the same breach of the same shapes apart from others, wherever they are met
    origin: str = ""

    @property
    def is_about_a_value(self) -> bool:
        """Whether one value is the matter, rather than the form of all values."""
        return "-value-" in self.rule

    def below(self, *steps: str) -> Self:
        return replace(self, path=(*steps, *self.path))


Breaches = tuple[Breach, ...]


def breach(direction: Direction, kind: Kind, **words: str) -> Breach:
    rule, problem, fix = RULES[direction][kind]
    return Breach(rule, problem.format_map(words), fix.format_map(words))


class Compares(Protocol):
    """What compares schemas within the ones that are compared."""

    direction: Direction

    @property
    def is_request(self) -> bool:
        """Whether requests are compared, so that the narrow side is the old one."""

    def covered(self, narrow: Any, wide: Any) -> Breaches:
        """Return why not every value of the narrow schema is allowed by the wide one."""

    def default(self, old: Any, new: Any) -> Breaches:
        """Return a breach if a request that leaves a value out means another value now."""
