"""What was measured: samples of figures by work and contender, one sample per round."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

type Figures = dict[str, float]


class MeasurementError(Exception):
    """A contender did not do the work; the message describes briefly what happened."""


@dataclass(frozen=True)
class Spread:
    """The median of some samples, and the smallest and largest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: list[float]) -> "Spread":
        return cls(median(samples), min(samples), max(samples))

    def __str__(self) -> str:
        if self.low == self.high:
            return number(self.median)
        return f"{number(self.median)} ({number(self.low)}-{number(self.high)})"


@dataclass
class Results:
    """Samples as `[work][contender][figure]`, in the order they were taken."""

    samples: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def enter(self, work: str, contenders: Iterable[str]) -> None:
        """Fix the order in which the contenders of a work are shown."""
        rows = self.samples.setdefault(work, {})
        for contender in contenders:
            rows.setdefault(contender, {})

    def add(self, work: str, contender: str, figures: Figures) -> None:
        """Keep one sample of each figure."""
        row = self.samples.setdefault(work, {}).setdefault(contender, {})
        for figure, value in figures.items():
            row.setdefault(figure, []).append(value)

    def fail(self, work: str, contender: str, reason: str) -> None:
        """Note that `contender` could not do `work`; it is shown as such and not measured again."""
        self.samples.setdefault(work, {})[contender] = {}
        self.failures[work, contender] = reason

    def has_failed(self, work: str, contender: str) -> bool:
        return (work, contender) in self.failures

    def values(self, work: str, contender: str, figure: str) -> list[float]:
        """The samples of one figure; empty when it was not measured."""
        return self.samples.get(work, {}).get(contender, {}).get(figure, [])

    def spread(self, work: str, contender: str, figure: str) -> Spread | None:
        values = self.values(work, contender, figure)
        return Spread.of(values) if values else None


def ratio(numerators: list[float], denominators: list[float]) -> Spread | None:
    """The spread of one figure over another, round by round; None unless both have all rounds."""
    if not numerators or len(numerators) != len(denominators) or not all(denominators):
        return None
    return Spread.of([a / b for a, b in zip(numerators, denominators, strict=True)])


def number(value: float) -> str:
    """`value` with about four significant digits: 12,345  678  90.1  1.013."""
    if value.is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
