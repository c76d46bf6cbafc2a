"""Names of Avro as names in Python: changed only where Python keeps them, or where two of them would be one."""

import keyword
from collections.abc import Callable, Collection, Iterator

TYPES = frozenset(
    """Any ClassVar Decimal Mapping Never Self StrEnum UUID bool bytes classmethod dataclass date datetime dict float
    int str time tuple""".split()
)
"""What a generated class needs by these names where its fields are declared."""
CALLED = frozenset({"isinstance", "list"})
MEMBERS = frozenset({"NAME", "READER", "to_avro", "from_avro"})
"""What every message class has beside its fields."""
OF_THE_INDEX = frozenset({"ALL", "Message", "tuple", "type"})


def module_name(context: str) -> str:
    return context + "_" * (keyword.iskeyword(context) or context in OF_THE_INDEX)


def class_names(full: str, message: str) -> Iterator[str]:
    """Yield what the class of a type may be called, best first."""
    *namespace, short = full.split(".")
    yield short
    for around in (namespace, [message.rpartition(".")[2]]):
        yield "".join(part[:1].upper() + part[1:] for part in [*around, short])
    while True:
        short += "_"
        yield short


def is_class_name(name: str) -> bool:
    return not keyword.iskeyword(name) and name not in TYPES | CALLED and not name.startswith("__")


def attribute(field: str, taken: Collection[str]) -> str:
    name = f"field{field}" if field.startswith("__") or not field.strip("_") else field
    return _free(name, lambda each: each in taken or each in MEMBERS or each in TYPES)


def member(symbol: str, taken: Collection[str]) -> str:
    """Return the member of an enum for a symbol; what begins with an underscore, Python's enums keep to themselves."""
    name = symbol.upper()
    return _free(f"SYMBOL{name}" if name.startswith("_") else name, taken.__contains__)


def _free(name: str, is_taken: Callable[[str], bool]) -> str:
    while keyword.iskeyword(name) or is_taken(name):
        name += "_"
    return name
