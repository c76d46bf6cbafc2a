"""Who suffers from a change of a proto, and what to do instead: what buf does not say."""

_COSTS = (
    (
        "FIELD_NO_DELETE",
        "what an old client writes there would be given a new meaning some day",
        "Reserve both its number and its name",
    ),
    (
        "ENUM_VALUE_NO_DELETE",
        "what an old client means by it would be given a new meaning some day",
        "Reserve both its number and its name",
    ),
    (
        "RESERVED",
        "it may be taken again, and an old program means something else by it",
        "Reserve it again",
    ),
    (
        "FIELD_SAME_NAME",
        "code that uses the old name no longer compiles, and JSON with the old name is not understood",
        "Keep name and number together, or add a field with a name and a number of its own",
    ),
    (
        "FIELD_SAME_JSON_NAME",
        "JSON with the old name is not understood",
        "Keep it, or add a field with a name and a number of its own",
    ),
    (
        "FIELD_SAME_ONEOF",
        "an old program may set what now excludes each other, and asks by the oneof's name which of them is set",
        "Keep it where it was, or add a field with a name and a number of its own",
    ),
    (
        "FIELD",
        "an old program misreads what a new one writes, or code that was generated from the old does not fit",
        "Keep it as it was, or add a field with a name and a number of its own",
    ),
    (
        "ENUM_VALUE_SAME_NAME",
        "code that uses the old name no longer compiles, and JSON with the old name is not understood",
        "Keep the old name, or add a value with a number of its own",
    ),
    (
        "RPC_NO_DELETE",
        "a client that calls it gets UNIMPLEMENTED",
        "Bring it back; mark it deprecated, or publish a new version of the package",
    ),
    ("RPC", "old stubs speak the other way", "Keep it, or add an rpc with a name of its own"),
    (
        "FILE_NO_DELETE",
        "programs that import what is generated from it break",
        "Bring the file back under its old name",
    ),
    (
        "FILE_SAME_PACKAGE",
        "every full name changes, and with it the paths that clients call",
        "Keep the package, and put a new version into a directory of its own",
    ),
    ("FILE", "code that is generated from now on does not fit", "Keep it as it was"),
)
_OTHERWISE = (
    "code that was generated with it no longer fits",
    "Bring it back; mark it deprecated, or publish a new version of the package",
)


def cost_of(rule: str) -> tuple[str, str]:
    """Return who suffers from a change that breaks a rule of buf, and what to do instead."""
    found = ((cost, fix) for start, cost, fix in _COSTS if rule.startswith(start))
    return next(found, _OTHERWISE)
