"""The command: measure everything, print the table, write the page and the chart."""

import argparse
from pathlib import Path

from benchmarks import report
from benchmarks.broadcast import broadcast
from benchmarks.calls import calls
from benchmarks.fan_out import cost_per_call, slow_upstream
from benchmarks.hedging import hedging
from benchmarks.limits import raise_open_files_limit
from benchmarks.lineup import ROOT
from benchmarks.load import require_wrk
from benchmarks.machine import header
from benchmarks.observing import observing
from benchmarks.rendering import rendering
from benchmarks.run import Run
from benchmarks.servers import collect_static_files
from benchmarks.start import start
from benchmarks.streams import streams
from benchmarks.throughput import aggregator, hello, sync_view

FAMILIES = {
    "hello": hello,
    "aggregator": aggregator,
    "slow-upstream": slow_upstream,
    "cost": cost_per_call,
    "calls": calls,
    "hedging": hedging,
    "observing": observing,
    "streams": streams,
    "broadcast": broadcast,
    "sync": sync_view,
    "start": start,
    "rendering": rendering,
}


def positive(value: str) -> int:
    """A whole number from 1 on, as argparse wants it."""
    number = int(value)
    if number < 1:
        raise ValueError
    return number


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--project", type=Path, required=True, help="a rendered project, installed in its .venv"
    )
    parser.add_argument("--rounds", type=positive, default=3, help="samples of each figure")
    parser.add_argument("--seconds", type=positive, default=3, help="length of one wrk run")
    parser.add_argument(
        "--only", choices=FAMILIES, help="measure only this, and leave the documentation unchanged"
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    project = arguments.project.resolve()
    require_wrk()
    raise_open_files_limit()
    collect_static_files(project)
    lines = header(project)
    run = Run(project, arguments.rounds, arguments.seconds)
    for name, measure in FAMILIES.items():
        if arguments.only in (None, name):
            measure(run)
    print(report.text(lines, run.results))
    if arguments.only is None:
        report.write(ROOT / "docs", lines, run)


if __name__ == "__main__":
    main()
