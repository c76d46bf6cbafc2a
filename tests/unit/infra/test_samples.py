"""The Python in the documents is Python, and its handlers are handlers of this code."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from consumers.runtime.handlers import MARK, handlers_of, handles, handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated

REPOSITORY = Path(__file__).parents[3]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAMPLES = [
    pytest.param(block, id=f"{document.name}-{number}")
    for document in (REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/how-to/*.md")))
    for number, block in enumerate(BLOCK.findall(document.read_text()))
]
NAMES = {
    each.__name__: each
    for each in (
        *(BulkWork, OrderCancelled, OrderConfirmed, OrderCreated, Received, Sequence, Work),
        *(handles, handles_in_bulk),
    )
} | {"LetterSent": OrderConfirmed}
"""What a sample may name; the last stands for a message that its document has just added."""


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_is_python(sample: str) -> None:
    compile(sample, "sample", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("sample", [each for each in SAMPLES if "@handles" in str(each.values)])
def test_a_handler_in_a_sample_is_one(sample: str) -> None:
    names: dict[str, Any] = dict(NAMES)
    exec(sample, names)  # noqa: S102 - our own documents
    marked = [each for each in names.values() if hasattr(each, MARK)]
    assert marked
    for each in marked:
        handlers_of(each)
