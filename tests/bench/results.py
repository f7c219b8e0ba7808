"""Figures by section, their ratios, the table and the JSON file."""

import json
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from core import cores, say


@dataclass
class Row:
    name: str
    values: list
    must: Optional[float] = None
    goal: Optional[float] = None
    smaller_is_better: bool = False

    def verdict(self) -> str:
        if self.must is None and self.goal is None:
            return ""
        median = statistics.median(self.values)
        good = (lambda limit: median <= limit) if self.smaller_is_better else (lambda limit: median >= limit)
        if self.goal is not None and good(self.goal):
            return "goal"
        return "held" if self.must is None or good(self.must) else "LOW" if not self.smaller_is_better else "HIGH"


def short(value: Optional[float]) -> str:
    if value is None:
        return ""
    if value >= 10_000_000:
        return f"{value / 1e6:.1f}M"
    if value >= 10_000:
        return f"{value / 1e3:.0f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


class Results:
    def __init__(self, rounds: int):
        self.rounds = rounds
        self.sections = {}
        self.raw = {}
        self.failures = []

    def fail(self, error: Exception) -> None:
        self.failures.append(str(error))
        say(f"FAILED {error}")

    def add(self, section: str, row: Row) -> None:
        if row.values:
            self.sections.setdefault(section, []).append(row)

    def keep(self, section: str, subject: str, shape: str, result) -> None:
        self.raw.setdefault(section, {}).setdefault(subject, {}).setdefault(shape, []).append(result)

    def kept(self, section: str, subject: str, shape: str) -> list:
        return self.raw.get(section, {}).get(subject, {}).get(shape, [])

    def ratios(self, section: str, subject: str, base: str, shape: str, figure: Callable, base_shape: str = "") -> list:
        """Slice by slice: the subject's figure by the baseline's of the same time."""
        values = self.kept(section, subject, shape)
        bases = self.kept(section, base, base_shape or shape)
        if not bases:
            return []
        return [figure(value) / figure(bases[index * len(bases) // len(values)]) for index, value in enumerate(values)]

    def missed(self) -> list:
        return [row.name for rows in self.sections.values() for row in rows if row.verdict() in ("LOW", "HIGH")]

    def print(self) -> None:
        for section, rows in self.sections.items():
            print(f"\n{section}\n{'':38}{'median (min–max)':>22}{'must':>7}{'goal':>7}")
            for row in rows:
                spread = f"{short(statistics.median(row.values))} ({short(min(row.values))}–{short(max(row.values))})"
                print(f"{row.name:<38}{spread:>22}{short(row.must):>7}{short(row.goal):>7} {row.verdict():<5}".rstrip())
        for failure in self.failures:
            print(f"\nFAILED {failure}")

    def write(self, file: Path) -> None:
        sections = {
            section: [{"name": row.name, "median": statistics.median(row.values), "minimum": min(row.values),
                       "maximum": max(row.values), "values": row.values, "must_hold": row.must, "goal": row.goal,
                       "smaller_is_better": row.smaller_is_better, "verdict": row.verdict()} for row in rows]
            for section, rows in self.sections.items()
        }
        file.write_text(json.dumps({"rounds": self.rounds, "kernel": platform.release(), "cores": len(cores), "sections": sections,
                                    "failures": self.failures, "measurements": self.raw}, indent=1) + "\n")
