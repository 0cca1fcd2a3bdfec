"""The table in the terminal and the page in the documentation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chart import draw
from benchmarks.requirements import requirements
from benchmarks.results import Results
from benchmarks.run import Run

MUST_SHOW = "Must show"
COMMAND = "make bench"
CAPTION = (
    "Medians, with the smallest and largest sample in brackets. All contenders of a section are "
    "measured in the same run, in turn in every round, each under one uvicorn worker with the same "
    "loop (uvloop) and parser (httptools). The load generator and the upstreams share the machine "
    "with them: trust the ratios."
)
LIMITS = (
    "Ratios are computed per round, and the median decides. httpx keeps its default of 100 "
    "connections, with which it is fastest at a fan-out of 10; aiohttp may open 1,000, like the "
    "rendered project. The article's client also keeps its default timeouts, including 5 s to wait "
    "for a connection."
)


@dataclass(frozen=True)
class Section:
    """A title above a table; the first row holds the column names."""

    title: str
    rows: list[list[str]]


def sections(results: Results) -> Iterator[Section]:
    """Each work with a row per contender, then what must be shown."""
    for work, contenders in results.samples.items():
        figures = list(dict.fromkeys(name for row in contenders.values() for name in row))
        rows = [["", *figures]]
        for contender in contenders:
            if results.has_failed(work, contender):
                cells = [f"failed: {results.failures[work, contender]}"]
            else:
                cells = [str(results.spread(work, contender, name) or "-") for name in figures]
            rows.append([contender, *cells, *[""] * (len(figures) - len(cells))])
        yield Section(work, rows)
    rows = [requirement.row() for requirement in requirements(results)]
    yield Section(MUST_SHOW, [["", "required", "measured", "reached"], *rows])


def text(header: list[str], results: Results) -> str:
    """One table for the terminal: the sections share their column widths."""
    found = list(sections(results))
    widths: list[int] = []
    for row in (row for section in found for row in section.rows):
        for column, cell in enumerate(row):
            if column == len(widths):
                widths.append(0)
            if not cell.startswith("failed"):
                widths[column] = max(widths[column], len(cell))
    lines = [*header]
    for section in found:
        lines += ["", section.title]
        for row in section.rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def markdown(header: list[str], run: Run, chart: str) -> str:
    """The page `docs/benchmarks.md`; `chart` is the picture's file name beside it."""
    lines = ["# Benchmarks", "", f"Written by `{COMMAND}`. Samples of each figure: {run.rounds}."]
    lines += ["", *[f"- {line}" for line in header], "", CAPTION]
    lines += ["", f"![The main figures by contender]({chart})"]
    for section in sections(run.results):
        lines += ["", f"## {section.title[0].upper()}{section.title[1:]}", ""]
        if section.title == MUST_SHOW:
            lines += [LIMITS, ""]
        columns, *rows = section.rows
        lines.append(f"| {' | '.join(columns)} |")
        lines.append(f"|---{'|---:' * (len(columns) - 1)}|")
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def write(docs: Path, header: list[str], run: Run) -> None:
    """Write `benchmarks.md` and `benchmarks.svg` into `docs`."""
    docs.mkdir(exist_ok=True)
    draw(run.results, docs / "benchmarks.svg")
    (docs / "benchmarks.md").write_text(markdown(header, run, "benchmarks.svg"), encoding="utf-8")
