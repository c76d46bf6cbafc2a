"""The rules by Prometheus's own checks: they can be read, and tell what they should of values that are made up."""

import json
from pathlib import Path
from typing import Any

from infra.observability import write
from infra.observability.alerts import Alert, Thresholds, alerts, rules
from tests.prometheus import promtool

GIB = 2**30
ALERTS = {alert.name: alert for alert in alerts(Thresholds())}


def test_what_is_handed_out_can_be_read(tmp_path: Path) -> None:
    list(write(tmp_path, 18089))
    checked = promtool("check", "config", "prometheus.yml", directory=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_a_slot_without_a_limit_is_held_against_the_disk(tmp_path: Path) -> None:
    retained, limit = (
        'tailrace_slot_retained_bytes{slot="s"}',
        'tailrace_slot_limit_bytes{slot="s"}',
    )
    alert = ALERTS["TailraceSlotRetainsWal"]
    expect(tmp_path, alert, {retained: f"{3 * GIB}x9"}, [{"slot": "s"}])
    expect(tmp_path, alert, {retained: f"{3 * GIB}x9", limit: f"{8 * GIB}x9"}, [])
    expect(tmp_path, alert, {retained: f"{5 * GIB}x9", limit: f"{8 * GIB}x9"}, [{"slot": "s"}])


def test_a_breaker_that_tries_a_call_now_and_then_still_counts_as_open(tmp_path: Path) -> None:
    name = 'tailrace_call_breaker_state{state="%s",target="t"}'
    series = {name % "open": "1 0 1 0 1 0 1 0 1 0", name % "half-open": "0 1 0 1 0 1 0 1 0 1"}
    alert = ALERTS["TailraceBreakerOpen"]
    expect(tmp_path, alert, series, [{"state": "open", "target": "t"}])
    expect(tmp_path, alert, {name % "open": "1 0x9", name % "closed": "0 1x9"}, [])


def test_a_service_that_nobody_asks_does_not_fail(tmp_path: Path) -> None:
    count = 'tailrace_http_request_duration_seconds_count{service="s",status="%d"}'
    alert = ALERTS["TailraceRequestsFailing"]
    expect(tmp_path, alert, {count % 200: "7x9", count % 503: "7x9"}, [])
    expect(tmp_path, alert, {count % 200: "0+90x9", count % 503: "0+3x9"}, [])
    expect(tmp_path, alert, {count % 200: "0+90x9", count % 503: "0+9x9"}, [{"service": "s"}])
    expect(tmp_path, alert, {count % 503: "0+9x9"}, [{"service": "s"}])


def test_calls_that_callers_spoil_are_not_the_services_fault(tmp_path: Path) -> None:
    count = 'tailrace_rpc_duration_seconds_count{service="s",code="%s"}'
    alert = ALERTS["TailraceCallsFailing"]
    expect(tmp_path, alert, {count % "OK": "0+9x9", count % "NOT_FOUND": "0+9x9"}, [])
    series = {count % "OK": "0+90x9", count % "INTERNAL": "0+9x9"}
    expect(tmp_path, alert, series, [{"service": "s"}])


def test_what_passes_soon_wakes_nobody(tmp_path: Path) -> None:
    lag = 'tailrace_consumer_lag_seconds{consumer="c",topic="t"}'
    labels = {"consumer": "c", "topic": "t"}
    alert = ALERTS["TailraceConsumerBehind"]
    expect(tmp_path, alert, {lag: "0 0 0 0 0 0 0 70 80 90"}, [])
    expect(tmp_path, alert, {lag: "70+30x9"}, [labels])


def test_a_saga_that_waits_for_somebody_is_told_of_at_once(tmp_path: Path) -> None:
    sagas, unchanged = (
        f'tailrace_sagas_{each}{{saga="s",status="%s"}}' for each in ("open", "unchanged_seconds")
    )
    alert = ALERTS["TailraceSagasStuck"]
    expect(tmp_path, alert, {sagas % "waiting": "5x9", unchanged % "waiting": "600x9"}, [])
    found = [{"saga": "s", "status": "stuck"}]
    expect(tmp_path, alert, {sagas % "stuck": "1x9", unchanged % "stuck": "1x9"}, found)
    found = [{"saga": "s", "status": "waiting"}]
    expect(tmp_path, alert, {sagas % "waiting": "5x9", unchanged % "waiting": "901x9"}, found)


def test_a_heap_is_full_by_what_collections_leave(tmp_path: Path) -> None:
    pool = '{pool="%s",service="kafka"}'
    left, most = "jvm_memory_pool_collection_used_bytes" + pool, "jvm_memory_pool_max_bytes" + pool
    alert = ALERTS["TailraceHeapFull"]
    for old in ("Tenured Gen", "G1 Old Gen"):
        expect(tmp_path, alert, {left % old: "80x9", most % old: "100x9"}, [])
        found = [{"pool": old, "service": "kafka"}]
        expect(tmp_path, alert, {left % old: "95x9", most % old: "100x9"}, found)
        expect(tmp_path, alert, {left % old: "95x9", most % old: "-1x9"}, [])
    eden = "Eden Space"
    expect(tmp_path, alert, {left % eden: "99x9", most % eden: "100x9"}, [])


def test_a_queue_that_is_soon_empty_again_is_as_it_should_be(tmp_path: Path) -> None:
    free, room = (f'debezium_queue_{each}{{server="s"}}' for each in ("remaining", "capacity"))
    alert = ALERTS["TailraceQueueFull"]
    expect(tmp_path, alert, {free: "0 0 0 90 0 0 0 0 0 0", room: "100x9"}, [])
    expect(tmp_path, alert, {free: "9x9", room: "100x9"}, [{"server": "s"}])
    expect(tmp_path, alert, {free: "11x9", room: "100x9"}, [])


def test_a_queue_is_full_by_what_its_changes_take_as_well(tmp_path: Path) -> None:
    free, room, taken, most = (
        f'debezium_queue_{each}{{server="s"}}'
        for each in ("remaining", "capacity", "bytes", "max_bytes")
    )
    alert, few = ALERTS["TailraceQueueFull"], {free: "99x9", room: "100x9"}
    expect(tmp_path, alert, few | {taken: "91x9", most: "100x9"}, [{"server": "s"}])
    expect(tmp_path, alert, few | {taken: "89x9", most: "100x9"}, [])
    expect(tmp_path, alert, few | {taken: "0x9", most: "0x9"}, [])


def expect(
    directory: Path, alert: Alert, series: dict[str, str], fires: list[dict[str, str]]
) -> None:
    """Hold a rule against values, one each 15 s, at their end.

    Args:
        fires: Labels of each alert that is to fire, without those that every alert has.
    """
    trial: dict[str, Any] = {
        "interval": "15s",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [
            {
                "alertname": alert.name,
                "eval_time": "135s",
                "exp_alerts": [
                    {"exp_labels": labels | {"severity": alert.severity}} for labels in fires
                ],
            }
        ],
    }
    told = rules(Thresholds())
    for rule in told["groups"][0]["rules"]:
        del rule["annotations"]  # what an alert says is not the matter here
    (directory / "rules.yml").write_text(json.dumps(told))  # which is YAML, too
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [trial]}
    (directory / "test.yml").write_text(json.dumps(test))
    tested = promtool("test", "rules", "test.yml", directory=directory)
    assert tested.returncode == 0, tested.stdout + tested.stderr
