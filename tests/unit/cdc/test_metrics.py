"""Metrics as text that Prometheus reads."""

from cdc.metrics import counter, gauge, one, render


def test_each_metric_says_what_it_is() -> None:
    told = render(
        [
            gauge("tailrace_a_seconds", "How long.", {("x",): 1.5, ("y",): 0}, ["of"]),
            counter("tailrace_b_total", "How often.", one(3)),
        ]
    )
    assert told.splitlines() == [
        "# HELP tailrace_a_seconds How long.",
        "# TYPE tailrace_a_seconds gauge",
        'tailrace_a_seconds{of="x"} 1.5',
        'tailrace_a_seconds{of="y"} 0.0',
        "# HELP tailrace_b_total How often.",
        "# TYPE tailrace_b_total counter",
        "tailrace_b_total 3.0",
    ]


def test_what_is_not_known_is_not_told() -> None:
    assert "tailrace_a{" not in render([gauge("tailrace_a", "A.", {("x",): None}, ["of"])])
    assert "tailrace_b 0.0" in render([gauge("tailrace_b", "B.", one(0))])


def test_a_label_cannot_break_out_of_its_line() -> None:
    told = render([gauge("tailrace_a", "A.", {('x"} 1\ntailrace_b 2\\',): 1}, ["of"])])
    assert told.splitlines()[-1] == r'tailrace_a{of="x\"} 1\ntailrace_b 2\\"} 1.0'
