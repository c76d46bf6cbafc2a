"""The console of a running stack, over HTTP: what its pages show, that they stay live, and what can be done there."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.local.parts import parts_of
from infra.services import WORKERS
from tests.console import CONSUMER, EVIL, ConsolePages, park
from tests.orders import FULFILMENT_TIMEOUT_S, place, place_lines, wait_until_decided
from tests.stack import RunningStack

LARGEST_BYTES = 400_000
TOPIC_PAGE = "/topic?name=order.events"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m"


@pytest.fixture
def pages(stack: RunningStack) -> Iterator[ConsolePages]:
    with ConsolePages(stack) as pages:
        yield pages


def test_the_overview_shows_every_part_and_all_is_well(
    stack: RunningStack, pages: ConsolePages
) -> None:
    page = pages.until("/", "all is well")
    assert len(page) < LARGEST_BYTES
    for part in parts_of(stack.settings):
        assert f"<strong>{part.name}</strong>" in page
    for worker in WORKERS:
        assert f'<th scope="row">{worker.name}</th>' in page
    assert "by the connector" in page
    assert "not known" not in page


def test_an_open_page_is_told_what_stops_and_that_it_is_back(
    stack: RunningStack, pages: ConsolePages
) -> None:
    with pages.stream("wrong", "health") as events:
        assert next(events)[0] == "hello"
        assert any(name == "health" and "all is well" in told for name, told in events)
        stack.stop("storefront")
        assert any(name == "wrong" and "storefront" in told for name, told in events)
        stack.start("storefront")
        assert any(name == "health" and "all is well" in told for name, told in events)


def test_each_panel_fails_on_its_own_with_a_sentence(
    stack: RunningStack, pages: ConsolePages
) -> None:
    pages.until("/", "all is well")
    for part in ("kafka", "registry"):
        with stack.frozen(part):
            page = pages.until("/", f"<strong>{part}</strong> is frozen")
            assert "by the connector" in page
    with stack.frozen("kafka"), ThreadPoolExecutor() as threads:
        asked = [threads.submit(pages.answer, path) for path in ("/topics", TOPIC_PAGE)]
        assert "Under way" in pages.get("/sagas")  # which does not wait for these
        assert "by the connector" in pages.until("/", "Of the consumers nothing can be told.")
        counted, looked_into = (each.result() for each in asked)
        assert "How many records there are cannot be told" in counted.text
        assert looked_into.status_code == 503
        assert "cannot be asked" in looked_into.text
    pages.until("/", "all is well", timeout_s=90)


def test_without_the_database_there_are_pages_and_they_recover(
    stack: RunningStack, pages: ConsolePages
) -> None:
    stack.stop("postgres")
    pages.until("/", "postgres")
    assert "Connection refused" in pages.get("/sagas", status=503)
    stack.start("postgres")
    pages.until("/", "all is well", timeout_s=90)
    assert "Under way" in pages.get("/sagas")


def test_a_transaction_is_drawn_told_and_opened(stack: RunningStack, pages: ConsolePages) -> None:
    order = place(stack, customer_id=f"ada {EVIL[:-5]}")
    wait_until_decided(stack, [order["order_id"]])
    page = pages.until(f"/flow?id={order['order_id']}", "it is through")
    for wanted in (
        "orders.OrderConfirmed",
        "shipping.ShipmentCreated",
        "in the topic",
        "in outboxes",
    ):
        assert wanted in page
    [message, *_] = [part.split('"')[0] for part in page.split("message=")[1:]]
    drawer = pages.get(f"/flow?id={order['order_id']}&message={message}")
    assert "&#34;customer_id&#34;: &#34;ada &lt;script&gt;alert(1)&lt;/script&gt;&#34;" in drawer
    assert "correlation_id" in drawer
    assert "<script>alert" not in drawer
    assert "Nothing is recorded of nowhere" in pages.get("/flow?id=nowhere", status=404)


def test_a_saga_is_shown_from_its_beginning(stack: RunningStack, pages: ConsolePages) -> None:
    order = place_lines(stack, {"digital": True}, fulfilment="orchestration")
    path = f"/saga?id={order['order_id']}"
    page = pages.until(path, '<span class="state well">completed</span>', FULFILMENT_TIMEOUT_S)
    for wanted in ("payments.PaymentCaptured", "answered", "order-fulfilment"):
        assert wanted in page
    assert "Do something about it" not in page  # it has ended
    assert order["order_id"] in pages.get("/sagas?status=completed")


def test_a_dead_letter_is_grouped_retried_skipped_and_all_of_it_noted(
    stack: RunningStack, pages: ConsolePages
) -> None:
    place_, _ = park(stack)
    page = pages.until("/parked", f"<td>{CONSUMER}</td>")
    assert ESCAPED in page
    assert "<script>alert" not in page
    path = f"/parked/message?place={place_}&consumer={CONSUMER}"
    page = pages.get(path)
    assert ESCAPED in page
    assert "<script>alert" not in page
    about = {"place": place_, "consumer": CONSUMER}
    tried = pages.post("/parked/retry", page, **about)
    assert "1 message tried again: 0 took effect, 1 failed again" in tried.text
    assert pages.post("/parked/skip", page, **about | {"why": ""}).status_code == 403
    unknown = pages.post("/saga", page, id="nobody", saga="nothing", verb="cancel")
    assert unknown.status_code == 409
    assert "no saga has the id nobody" in unknown.text
    assert pages.post("/parked/skip", page, **about).status_code == 303
    assert "is not parked any more" in pages.get(path)
    noted = stack.cli("parked", "show", place_, "--json").stdout
    assert '"skip"' in noted
    assert '"retry"' in noted
    assert '"a trial"' in noted
    pages.until("/parked", "Nothing is parked.")


def test_the_console_is_a_part_like_others(stack: RunningStack, pages: ConsolePages) -> None:
    pid = stack.kill("console", signal.SIGKILL)
    stack.wait_ready("console")
    assert stack.status()["console"].pid != pid
    assert pages.get("/health") == "ok\n"
