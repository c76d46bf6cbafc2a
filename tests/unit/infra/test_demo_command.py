"""The command `tailrace demo` as far as it goes without a stack: options, files that are none, exit codes."""

from pathlib import Path

import pytest

from infra import cli
from infra.cli.demo import Assignments
from infra.settings import REPOSITORY

ORDERS = REPOSITORY / "docs/examples/orders.csv"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str | int | None:
    """Return what the process would end with: an exit code, or the sentence that means 1."""
    monkeypatch.setattr("sys.argv", ["tailrace", "demo", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--orders", "0"], '"0" is not a whole number from 1 to'),
        (["--orders", "5", "--file", str(ORDERS)], "choose one"),
        (["--map", "customer=x"], "--file"),
        (["--file", str(ORDERS), "--map", "sku=a sku=b"], "says of one field twice"),
        (["--file", str(ORDERS), "--map", "who=x"], "'who=x' is not FIELD=COLUMN"),
        (["--currency", "XXX"], "'XXX' is not an active ISO 4217 currency code"),
        (["--timeout", "0"], '"0" is not a number from 1 to'),
    ],
)
def test_wrong_usage_ends_with_two(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_column_that_is_not_there_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text("a,b\n1,2\n")
    file = str(tmp_path / "orders.csv")
    assert run(monkeypatch, "--file", file, "--map", "customer=c") == 2
    assert "--map customer=c names no column; there are a, b." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "No column is a customer"),
        ("customer,amount\n", "has column names but no rows."),
    ],
)
def test_a_file_without_orders_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: str,
    sentence: str,
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(content)
    assert sentence in str(run(monkeypatch, "--file", str(file)))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("customer=buyer_no", [("customer", "buyer_no")]),
        ("customer=Buyer No sku=Item", [("customer", "Buyer No"), ("sku", "Item")]),
        ("customer=a, sku=b,amount=", [("customer", "a"), ("sku", "b"), ("amount", "")]),
        ("sku=a=b", [("sku", "a=b")]),
    ],
)
def test_several_columns_can_be_named_at_once(text: str, columns: list[tuple[str, str]]) -> None:
    assert Assignments().convert(text, None, None) == columns
