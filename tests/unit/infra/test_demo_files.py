"""Files of rows: dialects, line numbers, and what is wrong with a line."""

import os
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from infra.demo.files import MAX_LINE_CHARACTERS, Row, Table, open_table
from infra.demo.orders import BadRow, DemoError


def read(path: Path) -> tuple[Table, list[Row | BadRow]]:
    with open_table(path) as table:
        return table, list(table.rows())


def written(directory: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_dialect_gives_the_same_rows(
    tmp_path: Path, delimiter: str, line_break: str, mark: str
) -> None:
    lines = (("customer", "note, if; any", "amount"), ("ada", "a, b; c", "1.50"), ("böb", "", "2"))
    text = line_break.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    table, rows = read(written(tmp_path, mark + text))
    assert table.columns == lines[0]
    assert rows == [
        Row(2, {"customer": "ada", "note, if; any": "a, b; c", "amount": "1.50"}),
        Row(3, {"customer": "böb", "note, if; any": "", "amount": "2"}),
    ]


def test_rows_are_named_by_the_line_that_an_editor_shows(tmp_path: Path) -> None:
    content = '\n\ncustomer,note,amount\nada,"two\nlines",1\n\n,,\nbob,,2\n'
    _, rows = read(written(tmp_path, content))
    assert [row.line for row in rows if isinstance(row, Row)] == [4, 8]


def test_cells_that_do_not_stand_below_their_headings_make_a_row_bad(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, "customer,amount,\nada,1,234,50\nbob,2\ncy,3,,,\ndee,1,234\n"))
    assert rows == [
        BadRow(2, 2, "has 4 cells for 3 columns"),
        BadRow(3, 3, "has 2 cells for 3 columns"),
        Row(4, {"customer": "cy", "amount": "3"}),
        BadRow(5, 5, "has a cell in a column without a heading"),
    ]


def test_broken_quotes_spoil_no_more_than_they_enclose(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, 'customer,amount\n"ada"x,1\nbob,2\ncy,"3\ndee,4\n'))
    assert [str(row) if isinstance(row, BadRow) else row.line for row in rows] == [
        "line 2: is not CSV: ',' expected after '\"'",
        3,
        "lines 4-5: is not CSV: unexpected end of data",
    ]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_that_tells_excel_the_delimiter_is_understood(tmp_path: Path, line: str) -> None:
    table, rows = read(written(tmp_path, f"\ufeff{line}\r\ncustomer;a, b;amount\r\nada;x;1\r\n"))
    assert table.columns == ("customer", "a, b", "amount")
    assert rows == [Row(3, {"customer": "ada", "a, b": "x", "amount": "1"})]


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.ndjson", "orders.json", "orders.txt"])
def test_json_lines_are_known_by_content_or_name(tmp_path: Path, name: str) -> None:
    content = (
        '{"customer": "ada", "amount": 29.33}\n\nnope\n[1]\n{"customer": "bob", "amount": 2}\n'
    )
    table, rows = read(written(tmp_path, content, name))
    assert table.columns == ("customer", "amount")
    assert rows == [
        Row(1, {"customer": "ada", "amount": Decimal("29.33")}),
        BadRow(3, 3, "is not JSON: Expecting value at character 1"),
        BadRow(4, 4, "is not a JSON object"),
        Row(5, {"customer": "bob", "amount": Decimal(2)}),
    ]


def test_a_json_order_with_lines_is_a_row_for_each(tmp_path: Path) -> None:
    order = '{"customer_id": "ada", "lines": [{"sku": "a"}, {"sku": "b", "quantity": 2}]}\n'
    table, rows = read(written(tmp_path, order + '{"lines": 3}\n', "orders.jsonl"))
    assert table.columns == ("customer_id", "sku")
    assert rows == [
        Row(1, {"customer_id": "ada", "sku": "a"}, frozenset({"customer_id"})),
        Row(
            1,
            {"customer_id": "ada", "sku": "b", "quantity": Decimal(2)},
            frozenset({"customer_id"}),
        ),
        BadRow(2, 2, "lines is not a list of objects"),
    ]


def test_json_too_deep_for_the_parser_is_a_bad_row(tmp_path: Path) -> None:
    content = '{"customer": "ada"}\n' + '{"a":' + "[" * 200_000 + "\n"
    _, rows = read(written(tmp_path, content, "orders.jsonl"))
    assert isinstance(rows[1], BadRow)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"quantity": 1, "quantity": 7}', 'has "quantity" twice in one object'),
        ('{"lines": [{"sku": 1, "sku": 2}]}', 'has "sku" twice in one object'),
        ('{"currency": 1, "lines": [{"currency": 2}]}', 'has "currency" beside its lines'),
        ('{"amount": NaN}', "is not JSON: NaN is no number"),
        ('{"amount": 1e9999999999999999999}', "has a number out of range"),
        ('{"amount": 1} {"amount": 2}', "is not JSON: Extra data"),
    ],
)
def test_what_json_says_twice_or_cannot_hold_is_a_bad_row(
    tmp_path: Path, line: str, reason: str
) -> None:
    _, rows = read(written(tmp_path, '{"customer": "ada"}\n' + line, "orders.jsonl"))
    assert isinstance(rows[1], BadRow)
    assert rows[1].reason.startswith(reason)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("orders.csv", b"", "is empty"),
        ("orders.csv", b"\xef\xbb\xbf\n  \n\n", "is empty"),
        ("orders.csv", b"PK\x03\x04\x00\x00\xff", "is not text in UTF-8"),
        ("orders.csv", "customer,amount\n".encode("utf-16"), "is not text in UTF-8"),
        ("orders.json", b'[{"customer": "ada"}]', "one JSON array"),
        ("orders.jsonl", b"nope\nneither\n", "a JSON object on each line; line 1: is not JSON"),
        ("orders.jsonl", b'\n{"a": 1, "a": 2}\n', r'; line 2: has "a" twice in one object\.$'),
        ("orders.jsonl", b'{"a": 1e9999999999999999999}\n' * 101, "; line 1: has a number out of"),
        ("orders.jsonl", b'{"a": ' + b"[" * 99_999 + b"\n", "; line 1: is nested too deeply"),
        ("orders.jsonl", b'{"a": NaN}\n{"b": 1, "b": 1}\n', "; line 1: is not JSON: NaN is no"),
        ("orders.jsonl", b'{"lines": []}\n[]\n', "; line 1: lines is not a list of objects"),
        ("orders.ndjson", b'{"a":\n1}\n', "; line 1: is not JSON: Expecting value"),
        ("orders.csv", b'customer,"amount\n', "column names of .* are not CSV"),
        ("orders.csv", b"customer,amount,amount\nada,1,2\n", 'two columns "amount"'),
        ("orders.csv", b"customer;amount,usd\nada;1,2\n", "a comma or a semicolon between columns"),
        ("orders.csv", b"sep=:\ncustomer:amount\n", 'has ":" between columns'),
        ("orders.csv", b'[{"customer": "ada"}]', "one JSON array"),
    ],
)
def test_a_file_without_rows_is_refused_with_a_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(DemoError, match=sentence):
        read(written(tmp_path, content, name))


def test_a_file_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="No such file or directory"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(DemoError, match="Is a directory"):
        read(tmp_path)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    endless = "customer,amount\n" + "x" * (MAX_LINE_CHARACTERS + 1)
    with pytest.raises(DemoError, match=r"line 2 of .* is longer"):
        read(written(tmp_path, endless))


def test_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("customer,amount\nada,1\n",))
    writer.start()
    with open_table(pipe) as table:
        for _ in range(2):
            assert list(table.rows()) == [Row(2, {"customer": "ada", "amount": "1"})]
    writer.join()
