"""How a replay, what it would read and what came of it are put into words and into JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from consumers.replay import plan as plans
from consumers.replay.diff import Kind, RowDiff, TableDiff
from consumers.replay.sandbox_run import Outcome
from consumers.replay.source import Plan
from consumers.replay.state import RunState
from infra.cli import output
from infra.cli.screen import style
from infra.operations.replay.run import Counted, Run
from infra.tables import FittingTable, table
from infra.text import counted, local, one_line

SOURCES = {"kafka": "Kafka", "log": "the event log"}
SAMPLES = 5
COLOURS = {"missing": "red", "extra": "yellow", "different": "magenta"}


def announcement(plan: Plan) -> str:
    topics = ", ".join(dict.fromkeys(each.place.topic for each in plan.ranges))
    why = f" ({plan.why})" if plan.why else ""
    return (
        f"{topics}: up to {counted(plan.total, 'message')} from {SOURCES[plan.kind]}{why}, "
        f"{local(plan.start, 'the beginning')} to {local(plan.end, 'now')}."
    )


def plan_table(found: Counted) -> FittingTable:
    plan = found.plan
    where = "sequence" if plan.kind == "log" else "offset"
    right = ("partition", f"from {where}", f"to {where}", "messages")
    rows = (
        (
            each.place.topic,
            "all" if plan.kind == "log" else str(each.place.partition),
            str(each.begin),
            str(each.end),
            f"{found.counts[each.place]:,}",
            local(each.first_at),
        )
        for each in plan.ranges
    )
    when = "first recorded at"
    return table(("topic", *right, when), rows, right=right, wrap=(when,))


def plan_as_json(found: Counted) -> dict[str, Any]:
    told = plans.as_json(found.plan)
    for each, entry in zip(found.plan.ranges, told["ranges"], strict=True):
        entry["messages"] = found.counts[each.place]
    messages = sum(found.counts.values())
    return {"selection": found.selection, "messages": messages} | told


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    rate = f", {outcome.records / outcome.seconds:,.0f}/s" if outcome.seconds else ""
    yield (
        f"Replayed {counted(outcome.records, 'message')} in {outcome.seconds:.1f} s{rate}: "
        f"{outcome.applied:,} taken, {outcome.duplicates:,} twice, {outcome.parked:,} parked."
    )
    for row in outcome.parked_rows[:SAMPLES]:
        why = (
            one_line(row["error_class"], row["error_text"]) if row["error_class"] else row["reason"]
        )
        yield f"  parked  {row['topic']}/{row['partition']}/{row['offset']}  {row['type']}  {why}"
    if outcome.outgoing:
        yield f"Would have sent {_counts(Counter(each['type'] for each in outcome.outgoing))}."
        for each in outcome.outgoing[:SAMPLES]:
            yield f"  {each['topic']}  {each['aggregate_id']}  {_short(each['payload'])}"
    if outcome.outside:
        asked = Counter[str]()
        for each in outcome.outside:
            asked[f"{each['party']}: {each['action']}"] += each["times"]
        yield f"Would have been done outside: {_counts(asked)}."
        for each in outcome.outside[:SAMPLES]:
            yield f"  {each['party']}  {each['action']}  {each['key']}  {_short(each['details'])}"
    if outcome.behind:
        yield f"Live has not taken {outcome.behind:,} of these messages itself yet: rows may differ for that alone."
    for compared in outcome.tables:
        yield from _table_lines(compared)


def outcome_as_json(run: Run, outcome: Outcome) -> dict[str, Any]:
    return {
        "run_id": outcome.run_id,
        "sandbox": outcome.sandbox if run.request.keep else None,
        "selection": run.selection,
        "plan": plans.as_json(run.plan),
        "messages": outcome.records,
        "seconds": round(outcome.seconds, 3),
        "applied": outcome.applied,
        "duplicates": outcome.duplicates,
        "parked": outcome.parked,
        "parked_messages": outcome.parked_rows,
        "outgoing": {
            "by_type": Counter(each["type"] for each in outcome.outgoing),
            "messages": outcome.outgoing,
        },
        "outside": outcome.outside,
        "behind": outcome.behind,
        "equal": outcome.is_good,
        "tables": [_table_as_json(table) for table in outcome.tables],
        "code": run.state.code,
    }


def live_question(run: Run) -> str:
    chosen = " of which some are chosen" if run.selection.is_filtered else ""
    what = f"Redeliver up to {counted(run.plan.total, 'message')}{chosen} to {run.consumer.name}, live?"
    if run.request.force:
        return (
            f"{what} EACH TAKES EFFECT AGAIN, although it may have before: rows are written twice, messages are sent "
            "and parties outside are called once more."
        )
    return f"{what} What it has taken before has no effect; what it has not, takes effect now."


def how_to_resume(state: RunState) -> str:
    again = f"`tailrace replay --resume {state.run_id}` goes on where it stands."
    if state.mode != "sandbox":
        return again
    return (
        f"The sandbox {state.target} is left as it is. {again} "
        f"`tailrace replay drop {state.target}` drops it."
    )


def how_to_look(run: Run) -> str:
    sandbox = run.state.target
    return (
        f"The sandbox is kept. Look around in it with\n"
        f"  PGOPTIONS='-c search_path={sandbox}' psql '{run.consumer.url}'\n"
        f"and drop it with `tailrace replay drop {sandbox}`; `tailrace replay sandboxes` lists all there are."
    )


def _table_lines(table: TableDiff) -> Iterator[str]:
    name = style(table.table, bold=True)
    if table.is_equal:
        yield f"{name}: the same as live, {counted(table.equal, 'row')}."
    else:
        yield (
            f"{name}: {table.count('missing'):,} missing, {table.count('extra'):,} extra, "
            f"{table.count('different'):,} different, {table.equal:,} equal."
        )
    if table.by_column:
        yield f"  differs in {_counts(table.by_column)}"
    for row in table.rows:
        if row.part == "in":
            yield f"  {_row(row)}"
    hidden = table.differences - sum(row.part == "in" for row in table.rows)
    if hidden > 0:
        yield f"  and {hidden:,} more; --rows N lists more of them"
    if edge := table.compared.get("edge", 0):
        differing = sum(table.counts.get("edge", {}).values())
        yield (
            f"  {counted(edge, 'row')} only partly in what was replayed, of which {differing:,} differ: not held "
            "against it"
        )
    if unknown := table.count("missing", "unknown"):
        yield (
            f"  {counted(unknown, 'live row')} beside, which may come from other messages: the consumer does not "
            "declare how to tell"
        )


def _row(row: RowDiff) -> str:
    key = " ".join(f"{name}={value}" for name, value in row.key.items())
    kind = style(f"{row.kind:<9}", fg=COLOURS[row.kind])
    if row.kind == "different":
        told = ", ".join(
            f"{name} {made} (live {live})" for name, (made, live) in row.columns.items()
        )
    else:
        side = 0 if row.kind == "extra" else 1
        told = ", ".join(f"{name} {pair[side]}" for name, pair in row.columns.items())
    return f"{kind}  {key}  {told}"


def _table_as_json(table: TableDiff) -> dict[str, Any]:
    rows = [
        {
            "kind": row.kind,
            "part": row.part,
            "key": dict(row.key),
            "columns": {
                name: {"sandbox": made, "live": live} for name, (made, live) in row.columns.items()
            },
        }
        for row in table.rows
    ]
    counts = {kind: table.count(kind) for kind in get_args(Kind)}
    return {**output.as_data(table), "rows": rows, **counts}


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _short(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return " ".join(f"{name}={part}" for name, part in value.items() if not isinstance(part, list))
