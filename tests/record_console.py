"""Record the pictures of the console that the documents show, `docs/console*.png`, with `make up` running."""

import tempfile
import threading
from pathlib import Path

from infra.settings import REPOSITORY, Settings, load_settings
from tests import plain_http
from tests.browser import Browser

ORDER = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "book-1", "quantity": 2, "unit_price": "12.50"}],
}
SIZE = (1200, 760)


RENAMED = "(t => { t.value = t.value.replace('\"currency\"', '\"money\"'); })(document.querySelector('[name=text]'))"


def record(settings: Settings) -> None:
    """Place orders, and take pictures of the overview while they flow, of one, and of a change that is refused."""
    docs = REPOSITORY / "docs"
    stop = threading.Event()
    placed: list[str] = []

    def go_on() -> None:
        while not stop.wait(0.1):
            url = f"{settings.url_of('storefront')}/v1/orders"
            placed.append(plain_http.post(url, json=ORDER).json()["order_id"])

    thread = threading.Thread(target=go_on)
    thread.start()
    with (
        tempfile.TemporaryDirectory() as directory,
        Browser(Path(directory)) as browser,
        browser.page(*SIZE) as page,
    ):
        page.go(settings.console_url)
        page.shows("#health", "all is well", timeout_s=60)
        page.wait_for("document.querySelectorAll('#picture .arrow.busy').length > 12", 60)
        page.wait_for("document.querySelectorAll('#picture .topic.busy').length > 3", 60)
        page.screenshot(docs / "console.png")
        stop.set()
        thread.join()
        page.go(f"{settings.console_url}/flow?id={placed[-5]}")
        page.shows("main", "it is through", timeout_s=60)
        page.shows("#health", "all is well", timeout_s=60)
        page.screenshot(docs / "console-transaction.png")
        page.go(f"{settings.console_url}/schema?name=orders.OrderCreated")
        page.evaluate(RENAMED)
        page.follow("form.act button")
        page.shows("#verdict", "refused")
        page.shows("#health", "all is well", timeout_s=60)
        page.screenshot(docs / "console-schema.png")


if __name__ == "__main__":
    record(load_settings())
