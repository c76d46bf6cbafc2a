"""What is measured of a format, for one message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.message import Message


@dataclass(frozen=True, slots=True)
class Format:
    """One message in one format.

    Args:
        own: The message in what the format's library takes, such as a dictionary.
        write: Makes bytes of that.
        read: Reads every field out of bytes, as the library gives it.
        encode: Makes bytes of the message class that services work with.
        decode: Makes that class of bytes: amounts, ids and times are such, and no text.
    """

    own: Any
    write: Callable[[Any], bytes]
    read: Callable[[bytes], object]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Message]
