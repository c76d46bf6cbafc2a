"""Classes are made of every schema that the gate passes: linter and type checker take them, what goes in comes out."""

import importlib.util
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from schemas.datum import DatumReader, DatumWriter
from schemas.gate.avro.faults import faults
from schemas.gate.avro.model import Record
from schemas.gate.avro.parse import record
from schemas.generate import formatted
from schemas.module import Module
from tests.unit.schemas.gate.avro_worlds import World, data, referred

ROOT = Path(__file__).parents[3]


def field(name: str, type_: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_} | more


def rec(name: str, *fields: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [*fields]} | more


def enum(name: str, *symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": [*symbols]} | more


def logical(base: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": base, "logicalType": name} | more


CARD = rec("Card", field("status", enum("CardStatus", "paid", "open")))
CASH = rec("Cash", field("status", enum("CashStatus", "paid", "open")))
KEPT = """class None from import NAME READER to_avro cls self datum item type str int date Decimal _ __init__
    __x _y l""".split()
NODE = rec(
    "Node",
    field("value", "int"),
    field("children", {"type": "array", "items": "Node"}),
    field("next", ["null", "Node"], default=None),
    field("by_name", {"type": "map", "values": ["null", "Node", "string"]}),
)
CASES = {
    "names that Python keeps": rec(
        "T",
        *(field(name, "int", doc=f"The {name}.") for name in KEPT),
        field(
            "symbols",
            enum("None", "None", "none", "mro", "_ignore_", "__x", "_", "name", "password"),
        ),
        field("record", rec("class", field("date", logical("int", "date")), field("date_", "int"))),
    ),
    "plain defaults": rec(
        "T",
        field("form", enum("Form", "_old", "None", "new"), default="None"),
        field("again", "Form", default="_old"),
        field("is_digital", "boolean", default=True),
        field("id", "int"),
    ),
    "types used twice": rec(
        "T",
        field("bill", rec("Address", field("city", "string"))),
        field("ship", ["null", "Address"], default=None),
        field("others", {"type": "map", "values": "Address"}),
        field("first", enum("Size", "S", "M")),
        field("then", {"type": "array", "items": "Size"}),
    ),
    "namespaces": rec(
        "T",
        field("a", rec("a.b.Part", field("x", "int"))),
        field("b", rec("a.c.Part", field("x", "string"))),
        field("c", rec("Part", field("inner", enum("a.b.c.Part", "A")))),
        field("d", "a.b.Part"),
    ),
    "logical types": rec(
        "T",
        field("at", logical("long", "timestamp-micros")),
        field("millis", logical("long", "timestamp-millis")),
        field("local", logical("long", "local-timestamp-millis")),
        field("nanos", logical("long", "timestamp-nanos")),
        field("day", logical("int", "date")),
        field("time", logical("int", "time-millis")),
        field("micros", logical("long", "time-micros")),
        field("id", logical("string", "uuid")),
        field("amount", logical("bytes", "decimal", precision=9, scale=2)),
        field("whole", logical("bytes", "decimal", precision=3)),
        field("big", ["null", logical("bytes", "decimal", precision=9, scale=2)], default=None),
        field("fixed", {"type": "fixed", "name": "F", "size": 4}),
        field(
            "money",
            {"type": "fixed", "name": "M", "size": 4, "logicalType": "decimal", "precision": 9},
        ),
        field("fixed_id", {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}),
    ),
    "unions": rec(
        "T",
        field("payment", ["null", CARD, CASH, "string", enum("Kind", "A")]),
        field("numbers", ["double", "long", "null"]),
        field("flag", ["boolean", "int", "float"]),
        field("two", ["int", "long"]),
        field("dates", [logical("int", "date"), logical("long", "timestamp-micros")]),
        field("bytes", ["bytes", {"type": "fixed", "name": "F", "size": 3}]),
        field(
            "deep",
            {
                "type": "array",
                "items": ["null", {"type": "array", "items": [CARD["name"], "Cash"]}],
            },
        ),
        field(
            "maps",
            [
                "null",
                {"type": "map", "values": {"type": "map", "values": "Card"}},
                {"type": "array", "items": {"type": "array", "items": "Card"}},
            ],
        ),
        field("only", ["string"]),
        field("nothing", "null"),
        field("late_null", ["string", "null"], default=None),
    ),
    "records within themselves": NODE,
    "docs": rec(
        "T",
        field("a", "int", doc='Ends with a "quote"'),
        field("b", "int", doc='Has """ and \\ and ends with a backslash \\'),
        field("c", "int", doc="Two\nlines,\n\nand a very long one: " + "words " * 60),
        field("d", "int", doc="en dash \u2013 and no stop"),
        field("e", rec("Undocumented")),
        doc="todo: this is not a sentence",
    ),
    "no field": rec("T"),
}


def random_schemas() -> list[Any]:
    return [referred(World.of(random.Random(seed)).schema()) for seed in range(40)]  # noqa: S311


@pytest.fixture(scope="module")
def schemas() -> dict[str, Record]:
    made = {f"case_{number}": record(each) for number, each in enumerate(CASES.values())}
    made |= {f"random_{number}": record(each) for number, each in enumerate(random_schemas())}
    assert all(faults(name, schema) == [] for name, schema in made.items())
    return made


@pytest.fixture(scope="module")
def tree(schemas: dict[str, Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of generated modules."""
    directory = tmp_path_factory.mktemp("tree") / "schemas/messages"
    directory.mkdir(parents=True)
    texts = {"__init__.py": '"""Classes."""\n'}
    for name, schema in schemas.items():
        module = Module()
        module.add(schema, f"x.{schema.name}")
        texts[f"{name}.py"] = module.render("Classes.")
    for name, text in formatted(texts).items():
        (directory / name).write_text(text)
    return directory


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_the_linter_has_no_complaint(tree: Path) -> None:
    (tree.parents[1] / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert (
        run("ruff", "check", "--no-cache", "--output-format=concise", ".", cwd=tree.parents[1])
        == ""
    )
    assert run("ruff", "format", "--no-cache", "--check", ".", cwd=tree.parents[1]) == ""


def test_the_type_checker_has_none(tree: Path) -> None:
    assert run("mypy", "--config-file", ROOT / "pyproject.toml", *sorted(tree.glob("*.py"))) == ""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"generated_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_what_goes_in_comes_out(tree: Path, schemas: dict[str, Record]) -> None:
    for name, schema in schemas.items():
        module = load(tree / f"{name}.py")
        [message] = [each for each in vars(module).values() if hasattr(each, "READER")]
        writer, reader = DatumWriter(schema), DatumReader(schema, tagged=True)
        for datum in data(schema):
            value = message.from_avro(reader.read(writer.write(datum)))
            assert message.from_avro(reader.read(writer.write(value.to_avro()))) == value


def test_plain_defaults_need_not_be_given(tree: Path) -> None:
    module = load(tree / f"case_{[*CASES].index('plain defaults')}.py")
    made = module.T(id=1)
    assert (made.form.value, made.again.value, made.is_digital) == ("None", "_old", True)
