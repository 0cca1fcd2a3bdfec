"""The chart of a run, drawn by matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.fan_out import COST_FAN_OUTS, cost_work
from benchmarks.lineup import AGGREGATORS, ASYNC_VIEWS, Contender
from benchmarks.results import Results, Spread
from benchmarks.streams import STREAMS
from benchmarks.streams import WORK as STREAMS_WORK
from benchmarks.throughput import AGGREGATOR_CLIENTS, HELLO, aggregator_work


def draw(results: Results, path: Path) -> None:
    """Write the chart as SVG to `path`."""
    # The same results give the same file, and text stays text.
    with mpl.rc_context({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10, 7), layout="constrained")
        hello, aggregator, cost, threads = figure.subplots(2, 2).flat
        clients = AGGREGATOR_CLIENTS[0]
        bars(hello, results, HELLO, "requests/s", ASYNC_VIEWS)
        bars(aggregator, results, aggregator_work(clients), "requests/s", AGGREGATORS)
        cost_lines(cost, results)
        bars(threads, results, STREAMS_WORK, "threads added", ASYNC_VIEWS)
        hello.set_title("hello: requests/s")
        aggregator.set_title(f"aggregator, fan-out 10, {clients} clients: requests/s")
        cost.set_title("aggregator: CPU µs per call")
        threads.set_title(f"threads added by {STREAMS:,} open streams")
        figure.savefig(path, format="svg", metadata={"Date": None})


def bars(
    axes: Axes, results: Results, work: str, figure: str, contenders: Sequence[Contender]
) -> None:
    """One horizontal bar per contender: the median, its range as a line."""
    for contender in contenders:
        spread = results.spread(work, contender.name, figure) or Spread(0.0, 0.0, 0.0)
        range_ = [[spread.median - spread.low], [spread.high - spread.median]]
        bar = axes.barh(contender.name, spread.median, xerr=range_, color=contender.colour)
        axes.bar_label(bar, fmt="{:,.0f}", padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def cost_lines(axes: Axes, results: Results) -> None:
    """CPU per call over the fan-out; a contender that fails at a size has no point there."""
    for contender in AGGREGATORS:
        found = {
            size: results.spread(cost_work(size, 0.0), contender.name, "CPU µs per call")
            for size in COST_FAN_OUTS
        }
        medians = {size: spread.median for size, spread in found.items() if spread}
        if medians:
            sizes, values = list(medians), list(medians.values())
            axes.loglog(sizes, values, "o-", color=contender.colour, label=contender.name)
            axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_xlabel("fan-out")
    axes.spines[["top", "right"]].set_visible(False)
