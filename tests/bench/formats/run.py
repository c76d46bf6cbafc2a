"""Runs the benchmark `formats`. No stack is needed, and what is measured is processor time."""

import gzip
import time
from collections.abc import Callable, Mapping, Sequence

from schemas.message import Message
from tests.bench.errors import BenchError
from tests.bench.figures import ratio
from tests.bench.formats import by_avro, by_json, by_protobuf, by_pydantic
from tests.bench.formats.format import Format
from tests.bench.formats.values import MESSAGES
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress

NAME = "formats"
JSON, PYDANTIC, AVRO, PROTOBUF = "json", "pydantic", "avro", "protobuf"
FORMATS: Mapping[str, Callable[[Message], Format]] = {
    JSON: by_json.of,
    PYDANTIC: by_pydantic.of,
    AVRO: by_avro.of,
    PROTOBUF: by_protobuf.of,
}
COMPARED = {
    PROTOBUF: ("bytes", "gzip_bytes", "write_us", "read_us", "encode_us", "decode_us"),
    AVRO: ("bytes", "gzip_bytes", "encode_us", "decode_us"),
    PYDANTIC: ("encode_us", "decode_us"),
}
"""Figures that are told in units of those of `json`."""
SLICES = 5
"""Into so many parts a measurement is divided, of which the quickest counts: nothing makes code quicker than it is."""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark.

    Raises:
        BenchError: a format does not give back what it was given.
    """
    here, runs = machine(), list[Run]()
    for number in range(1, options.rounds + 1):
        first = (number - 1) % len(FORMATS)
        names = [*FORMATS][first:] + [*FORMATS][:first]
        with progress.step(f"round {number}"):
            for kind, message in MESSAGES.items():
                progress.now(kind)
                for name in names:
                    figures = measured(FORMATS[name](message), message, options.format_ms)
                    runs.append(
                        Run(contender=name, kind=kind, round=number, events=1, figures=figures)
                    )
    return Outcome(NAME, here, ratios(runs), runs)


def measured(form: Format, message: Message, each_ms: float) -> Mapping[str, float]:
    """Return the figures of a format.

    Args:
        each_ms: For how long each is measured, in milliseconds of processor time.

    Raises:
        BenchError: the format does not give back what it was given.
    """
    data = form.encode(message)
    if (again := form.decode(data)) != message:
        raise BenchError(f"{message} came back as {again}.")
    form.read(data)
    return {
        "bytes": len(data),
        "gzip_bytes": len(gzip.compress(data)),
        "write_us": _us(lambda: form.write(form.own), each_ms),
        "read_us": _us(lambda: form.read(data), each_ms),
        "encode_us": _us(lambda: form.encode(message), each_ms),
        "decode_us": _us(lambda: form.decode(data), each_ms),
    }


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return what the formats need in units of JSON by the standard library."""
    found = {}
    for kind in dict.fromkeys(run.kind for run in runs):
        for name, figures in COMPARED.items():
            for figure in figures:
                each = medians(runs, kind, figure)
                found[f"{kind}_{name}_{figure}"] = ratio(each.get(name), each.get(JSON))
    return {name: value for name, value in found.items() if value is not None}


def _us(call: Callable[[], object], each_ms: float) -> float:
    """Return what a call takes, in microseconds of processor time."""
    calls = 1
    while (took := _timed(call, calls)) < each_ms / SLICES / 2:
        calls *= 2
    took = min(took, *(_timed(call, calls) for _ in range(SLICES - 1)))
    return took * 1000 / calls


def _timed(call: Callable[[], object], calls: int) -> float:
    begin = time.thread_time_ns()
    for _ in range(calls):
        call()
    return (time.thread_time_ns() - begin) / 1e6
