"""`tailrace demo` against the whole stack: made-up orders, files good and bad, and parts that are down."""

import json
import re
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.settings import REPOSITORY, Publisher
from tests import commands
from tests.services import free_port
from tests.stack import RunningStack

# it sees records, whoever has published them; docs/how-to/publish-without-debezium.md runs it on the relay
PUBLISHERS: tuple[Publisher, ...] = ("cdc",)
ROWS = [
    ("00004", "1997-01-01", 2, "29.33"),  # an odd number of cents for two
    ("00004", "1997-01-18", 2, "29.73"),
    ("00018", "1997-01-04", 1, "14.96"),
    ("00021", "1997-01-01", 3, "0.00"),
    ("00050", "1997-01-01", 7, "6.79"),
    ("declined-1", "1997-01-02", 1, "13.97"),
    ("00081", "1997-01-01", 12, "10500.25"),  # over the limit of the card processor
]
PROGRESS = re.compile(r"[\d,]+ of [\d,]+$")
HEADINGS = "customer_id,date,quantity,amount_usd\n"


def demo(stack: RunningStack, *arguments: str, ends_with: int = 0) -> dict[str, Any]:
    """Run the command with `--json` and return its figures."""
    result = stack.cli("demo", "--json", *arguments, check=False)
    assert result.returncode == ends_with, result.stderr + result.stdout
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def purchases(directory: Path, rows: list[tuple[str, str, int, str]]) -> Path:
    path = directory / "purchases.csv"
    lines = (
        f"{customer},{date},{quantity},{amount}\n" for customer, date, quantity, amount in rows
    )
    path.write_text(HEADINGS + "".join(lines))
    return path


def test_made_up_orders_all_come_to_their_end(stack: RunningStack) -> None:
    figures = demo(stack, "--orders", "60")
    assert figures["ok"]
    assert figures["placed"] == 60
    assert figures["confirmed"] + figures["cancelled"] == 60
    assert set(figures["cancelled_by_reason"]) <= {
        "card_declined",
        "insufficient_funds",
        "limit_exceeded",
    }
    assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"]
    assert {"JPY", "KWD"} <= set(figures["totals"])
    assert all(totals["match"] for totals in figures["totals"].values())
    besides = figures["besides"]
    assert besides["customer"]["orders"] > 5
    assert besides["customer"]["tiers"][:2] == ["standard", "silver"]
    webhooks, report = besides["webhooks"], besides["report"]
    assert (webhooks["expected"], webhooks["lost"], webhooks["doubled"]) == (60, [], 0)
    assert webhooks["forged"] == 0
    assert (report["orders"], report["is_right"], report["others"]) == (60, True, 0)
    assert any(Decimal(totals["discount"]) > 0 for totals in figures["totals"].values())


def test_nothing_stays_unknown_while_services_are_killed(stack: RunningStack) -> None:
    parts = (
        "webhooks-worker,storefront,users-grpc,orders,loyalty,users,reports-worker,webhooks,reports"
    )
    figures = demo(stack, "--orders", "75", "--rate", "5", "--crash", parts, "--timeout", "120")
    assert figures["killed"]
    assert (figures["placed"], figures["unknown"], figures["unfinished"]) == (75, 0, 0)
    assert figures["books"] == []
    webhooks, report = figures["besides"]["webhooks"], figures["besides"]["report"]
    assert (webhooks["expected"], webhooks["lost"], webhooks["doubled"]) == (75, [], 0)
    assert report["is_right"]


def test_a_burst_waits_for_slow_payments_and_customers_do_not(stack: RunningStack) -> None:
    latency_ms = 2000
    stack.slow_cards(latency_ms)
    try:
        figures = demo(stack, "--orders", "12", "--concurrency", "12")
    finally:
        stack.slow_cards(0)
    assert figures["answer_ms"]["p50"] < latency_ms < figures["latency_ms"]["p50"]
    assert (figures["ok"], figures["books"]) == (True, [])
    assert figures["confirmed"] + figures["cancelled"] == 12


def test_the_table_says_that_it_adds_up(stack: RunningStack) -> None:
    printed = stack.cli("demo", "--orders", "5", "--currency", "eur").stdout
    words = (
        *("placed", "confirmed", "cancelled", "latency p50", "duplicates suppressed", "EUR"),
        *("orders with a tier", "webhooks", "report of sales"),
    )
    assert all(word in printed for word in words)
    assert "they do not match" not in printed
    assert " EUR = events " in printed


def test_a_file_goes_through_to_the_cent(stack: RunningStack, tmp_path: Path) -> None:
    path = purchases(tmp_path, ROWS * 5)
    figures = demo(stack, "--file", str(path))
    total = sum(Decimal(amount) for *_, amount in ROWS) * 5
    assert (figures["ok"], figures["rows"], figures["placed"]) == (True, 35, 35)
    assert figures["cancelled_by_reason"] == {"card_declined": 5, "limit_exceeded": 5}
    sums = figures["totals"]["USD"]
    assert sums["source"] == sums["placed"] == sums["events"] == str(total)


def test_bad_rows_are_named_and_the_rest_goes_on(stack: RunningStack, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    sku = "x" * 200  # only the storefront knows that this is too long
    path.write_text(
        "order;buyer_no;article;qty;price\n"
        "1;ada;tea;2;4.50\n1;ada;book;1;9.99\n2;bob;pen;two;1.00\n"
        f"3;cy;{sku};1;1.00\n4;dee;tea;1;4.50\n"
    )
    figures = demo(stack, "--file", str(path), "--map", "customer=buyer_no", ends_with=1)
    assert (figures["placed"], figures["confirmed"]) == (2, 2)
    assert (figures["rows"], figures["bad_rows"], figures["refused"]) == (5, 1, 1)
    bad, refused = figures["problems"]
    assert bad == 'line 4: qty "two" is not a whole number'
    assert refused.startswith("line 5: answered 422: #/lines/0/sku ")
    assert figures["totals"]["USD"]["events"] == "23.49"


def test_orders_that_do_not_come_to_their_end_are_named(stack: RunningStack) -> None:
    stack.stop("orders-worker")
    try:
        figures = demo(stack, "--orders", "3", "--timeout", "2", ends_with=1)
    finally:
        stack.start("orders-worker")
    assert (figures["placed"], figures["unfinished"]) == (3, 3)
    assert len(figures["unfinished_ids"]) == 3
    assert figures["stopped"].startswith("nothing has moved for 2 s")


def test_sending_goes_on_when_the_orders_service_comes_back(
    stack: RunningStack, tmp_path: Path
) -> None:
    """An order whose answer is lost is sent again under its key, so that none stays unknown."""
    path = str(purchases(tmp_path, ROWS * 20))
    with running(stack, "--file", path, "--timeout", "60", "--concurrency", "1") as process:
        wait_for_progress(process)
        stack.kill("orders")
        printed, said = process.communicate(timeout=180)
    assert printed, said
    figures = json.loads(printed)
    assert figures["placed"] == len(ROWS) * 20, figures
    assert figures["unknown"] == figures["unfinished"] == figures["unsent"] == 0
    assert figures["refused"] == 0
    assert figures["totals"]["USD"]["match"]
    assert process.returncode == 0


def test_an_interrupt_stops_sending_and_says_what_is_known(
    stack: RunningStack, tmp_path: Path
) -> None:
    with running(stack, "--file", str(purchases(tmp_path, ROWS * 20))) as process:
        wait_for_progress(process)
        process.send_signal(signal.SIGINT)
        figures = figures_of(process, ends_with=130)
    assert (figures["interrupted"], figures["stopped"]) == (True, "interrupted")
    assert 0 < figures["placed"] < len(ROWS) * 20


@pytest.mark.parametrize("part", ["storefront", "kafka"])
def test_a_part_that_is_down_from_the_start_is_one_sentence(stack: RunningStack, part: str) -> None:
    nobody_listens = {f"TAILRACE_{part.upper()}_PORT": str(free_port())}
    result = commands.run(
        "infra.cli",
        ["demo", "--orders", "1"],
        directory=REPOSITORY,
        environment=stack.environment | nobody_listens,
        timeout_s=60,
    )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "make up" in result.stderr


def running(stack: RunningStack, *arguments: str) -> subprocess.Popen[str]:
    """Start the command with `--json`; what it says on the way comes on stderr."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "infra.cli", "demo", "--json", *arguments],
        cwd=REPOSITORY,
        env=stack.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_progress(process: subprocess.Popen[str]) -> None:
    """Wait until the first tenth is done."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if PROGRESS.match(line):
            return
        said.append(line)
    raise AssertionError("it ended before it got anywhere: " + "".join(said))


def figures_of(process: subprocess.Popen[str], *, ends_with: int) -> dict[str, Any]:
    """Wait for the end of a command and return its figures."""
    printed, said = process.communicate(timeout=180)
    assert process.returncode == ends_with, said + printed
    figures: dict[str, Any] = json.loads(printed)
    return figures
