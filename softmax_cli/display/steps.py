"""The steps of a derivation, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from softmax_cli.display.parts import Line, Part


@dataclass(frozen=True)
class Step:
    """A step of a derivation.

    name     identifies the step in JSON
    title    heads the step for people
    formula  its lines
    facts    the numbers for JSON, by key
    parts    the numbers for people
    row      number of the row it explains; None if it is about all rows
    """

    name: str
    title: str
    formula: Sequence[str] = ()
    facts: dict[str, object] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    row: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the step as a JSON object."""
        head: dict[str, object] = {"row": self.row, "step": self.name, "title": self.title}
        return {**head, "formula": list(self.formula), **self.facts}


def step_parts(steps: Sequence[Step]) -> Iterator[Part]:
    """Return what people see of the steps, numbered from 1 in each row."""
    several = len({step.row for step in steps} - {None}) > 1
    row, number = None, 0
    for step in steps:
        if step is not steps[0]:
            yield Line()
        if step.row != row:
            row, number = step.row, 0
            if several and row is not None:
                yield from (Line(f"row {row}", "bold"), Line())
        number += 1
        if step.title:
            yield Line(f"{number}. {step.title}" if step.row is not None else step.title, "bold")
        yield from (Line(line, indent=3) for line in step.formula)
        yield from (replace(part, indent=part.indent + 3) for part in step.parts)
