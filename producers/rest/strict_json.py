"""JSON read without guessing: exact numbers, each key once, UTF-8 only."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

MAX_NUMBER_LENGTH = 64


class MalformedJsonError(ValueError):
    """The bytes are not JSON, or JSON that two readers could understand differently."""


def loads(data: bytes) -> Any:
    """Return the value that a JSON text holds; numbers with a fraction or an exponent become `Decimal`."""
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_each_key_once,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedJsonError(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedJsonError(f"{error.msg} ({place})") from None
    except RecursionError:
        raise MalformedJsonError("arrays and objects are nested too deeply") from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise MalformedJsonError(f"the key {json.dumps(key[:64])} occurs twice in one object")
        result[key] = value
    return result


def _integer(literal: str) -> int:
    return int(_bounded(literal))


def _decimal(literal: str) -> Decimal:
    try:
        return Decimal(_bounded(literal))
    except InvalidOperation:
        raise MalformedJsonError("a number's exponent is out of all bounds") from None


def _bounded(literal: str) -> str:
    if len(literal) > MAX_NUMBER_LENGTH:
        raise MalformedJsonError(f"a number has more than {MAX_NUMBER_LENGTH} characters")
    return literal


def _no_constant(name: str) -> NoReturn:
    raise MalformedJsonError(f"{name} is not JSON")
