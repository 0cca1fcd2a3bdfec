"""The results of the run, as tables for the terminal and for docs/reliability.md."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median, quantiles

from soak.attacks import Counts
from soak.figures import Sample
from soak.visitors import Aggregations, Jobs

MEMORY_RATIO = 1.25
COMMAND = "make soak"


@dataclass(frozen=True)
class Requirement:
    """A requirement, the observed value, and whether it holds."""

    text: str
    seen: str
    holds: bool


@dataclass(frozen=True)
class Outcome:
    """The results of a run."""

    minutes: float
    aggregations: Aggregations
    jobs: Jobs
    statuses: dict[str, int]
    attempted_twice: int
    begin: Sample
    peak: Sample
    end: Sample
    attacks: Counts

    def requirements(self) -> Iterable[Requirement]:
        """Yield what a run must show."""
        unanswered = self.aggregations.unanswered
        yield Requirement(
            "aggregations of other clients are answered",
            f"{len(self.aggregations.durations) - len(unanswered)} of"
            f" {len(self.aggregations.durations)}",
            not unanswered,
        )
        statuses = [f"{count} {status}" for status, count in sorted(self.statuses.items())]
        yield Requirement(
            "accepted jobs are done",
            f"{', '.join(statuses)}, of {len(self.jobs.accepted)}",
            self.statuses == {"SUCCESSFUL": len(self.jobs.accepted)},
        )
        ratio = self.end.resident_mib / self.begin.resident_mib
        yield Requirement(
            f"memory ends below {MEMORY_RATIO} times its start",
            f"{ratio:.2f} times",
            ratio < MEMORY_RATIO,
        )
        yield Requirement(
            "database connections end at or below their start",
            f"{self.begin.database_connections}, then {self.end.database_connections}",
            self.end.database_connections <= self.begin.database_connections,
        )
        yield Requirement(
            "open files end near their start",
            f"{self.begin.open_files}, then {self.end.open_files}",
            self.end.open_files <= self.begin.open_files + 20,
        )


def peak(samples: Iterable[Sample]) -> Sample:
    """Return the highest value of each figure."""
    highest = {
        field.name: max(getattr(sample, field.name) for sample in samples)
        for field in fields(Sample)
    }
    return Sample(**highest)


def markdown(outcome: Outcome) -> str:
    """Return the tables."""
    durations = outcome.aggregations.durations
    lines = ["| must hold | seen | holds |", "| --- | --- | --- |"]
    lines += [
        f"| {one.text} | {one.seen} | {'yes' if one.holds else '**no**'} |"
        for one in outcome.requirements()
    ]
    lines += [
        "",
        "| both processes | at the start | peak | at the end |",
        "| --- | --- | --- | --- |",
    ]
    for field in fields(Sample):
        values = [getattr(s, field.name) for s in (outcome.begin, outcome.peak, outcome.end)]
        name = field.name.replace("_", " ").replace("mib", "memory, MiB")
        lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in values) + " |")
    p99 = quantiles(durations, n=100)[98]
    lines += [
        "",
        f"{len(durations)} aggregations of ordinary clients: median {median(durations):.2f} s,"
        f" 99 % within {p99:.2f} s, the slowest {max(durations):.2f} s;"
        f" {outcome.aggregations.second_tries} went to the other process.",
        f"{len(outcome.jobs.accepted)} jobs accepted ({outcome.attempted_twice} attempted more than"
        f" once), {outcome.jobs.refused} not accepted.",
        "",
        "| attack | times |",
        "| --- | --- |",
    ]
    lines += [f"| {name} | {count} |" for name, count in sorted(outcome.attacks.items())]
    return "\n".join(lines) + "\n"


def write(page: Path, tables: str) -> None:
    """Replace everything after the marker in the page."""
    head, marker, _ = page.read_text().partition(MARKER)
    page.write_text(f"{head}{marker}\n\n{tables}")


MARKER = f"<!-- written by {COMMAND} -->"
