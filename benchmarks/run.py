"""One run of the benchmark, which is passed to every kind of work."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.results import Figures, MeasurementError, Results


@dataclass(frozen=True)
class Run:
    """`rounds` measurements of each figure, each about `seconds` long."""

    project: Path
    rounds: int
    seconds: int
    results: Results = field(default_factory=Results)

    def interleave(self, work: str, measures: Mapping[str, Callable[[], Figures]]) -> None:
        """Measure every contender once per round, a different one first in each round.

        A slow minute of the machine then touches all of them alike. One that raises
        `MeasurementError` is noted as failed and left out of the remaining rounds.
        """
        print(f"{work}: {', '.join(measures)}", file=sys.stderr)
        names = list(measures)
        self.results.enter(work, names)
        for turn in range(self.rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                if self.results.has_failed(work, name):
                    continue
                try:
                    self.results.add(work, name, measures[name]())
                except MeasurementError as error:
                    self.results.fail(work, name, str(error))
