"""The explained rows, which of their classes are shown, and exact numbers of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.bfloat16 import BFLOAT16
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.softmax.jacobian_products import complement
from softmax_cli.core.softmax.softmax import log_softmax, softmax
from softmax_cli.display.alignment import align_numbers, first_and_last
from softmax_cli.display.parts import Gauge, Line, Part, Step, Table
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import OnBadRow

# The first so many rows are explained.
EXPLAINED = 3
# Rows of up to 12 classes are shown whole, longer ones by 6 classes at their ends.
WHOLE, AT_THE_ENDS = 12, 6
# Rows of up to so many classes are listed whole in JSON.
LISTED = 1000
# Of e to larger powers, only the exponent is written.
_LARGEST_POWER = 10**12

EXACT = Context(prec=30, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_LN10 = EXACT.ln(Decimal(10))

# The values of all classes, or a function from a class to its value or text.
Values: TypeAlias = "FloatArray | Callable[[int], float | Decimal | str]"


@dataclass(frozen=True)
class Digits:
    """Writes numbers of any size with so many significant digits."""

    precision: int

    def number(self, value: float | Decimal) -> str:
        """Return a number's text.

        >>> Digits(6).number(-0.0), Digits(6).number(Decimal("1.97007111e434"))
        ('0', '1.97007e+434')
        """
        rounded: float | Decimal = float(value) + 0.0
        if rounded in (0, np.inf, -np.inf) and isinstance(value, Decimal):
            rounded = value if value and value.is_finite() else rounded
        return f"{rounded:.{self.precision}g}"

    def power(self, exponent: Decimal) -> str:
        """Return the text of e to an exponent.

        >>> Digits(6).power(Decimal(1000)), Digits(6).power(Decimal("1e300"))
        ('1.97007e+434', '10^(4.34294e+299)')
        """
        if exponent.is_finite() and abs(exponent) > _LARGEST_POWER:
            return f"10^({self.number(EXACT.divide(exponent, _LN10))})"
        return self.number(EXACT.exp(exponent))


@dataclass(frozen=True, eq=False)
class Row:
    """A row of logits, its temperature T, and how its numbers are shown.

    logits  (classes,) as float64
    dtype   of the input, in which a naive evaluation would compute
    name    returns the name of a class, short enough for a line
    also    classes that are always shown, such as a label
    masked  classes whose logits were replaced by -inf
    label_base  the number of the first class in JSON
    """

    logits: Rows
    dtype: np.dtype[Any]
    T: float
    name: Callable[[int], str]
    digits: Digits
    on_bad_row: OnBadRow
    also: tuple[int, ...] = ()
    masked: tuple[int, ...] = ()
    label_base: int = 0

    @property
    def classes(self) -> int:
        return len(self.logits)

    @property
    def over(self) -> str:
        """The division by T, if T is not 1, in a formula."""
        return "" if self.T == 1 else " / T"

    @cached_property
    def has_softmax(self) -> bool:
        """True if softmax is defined for the row: no NaN, no +inf, and not every entry -inf."""
        return bool(np.isfinite(self.logits.max()))

    @cached_property
    def likeliest(self) -> list[int]:
        """The classes of the two largest logits; of equal logits the first."""
        return [int(place) for place in np.argsort(-self.logits, kind="stable")[:2]]

    @cached_property
    def P(self) -> Rows:  # noqa: N802
        """The probabilities, (classes,)."""
        return wide(softmax(self.logits, temperature=self.T))

    @cached_property
    def shown(self) -> list[int]:
        """The classes in tables."""
        places = first_and_last(self.classes, WHOLE if self.classes <= WHOLE else AT_THE_ENDS)
        return sorted({*places, *self.likeliest, *self.also})

    @property
    def listed(self) -> list[int]:
        """The classes in JSON."""
        return self.shown if self.classes > LISTED else list(range(self.classes))

    def over_temperature(self, place: int) -> Decimal:
        """Return a / T."""
        return EXACT.divide(Decimal(float(self.logits[place])), Decimal(self.T))

    def shifted(self, place: int) -> Decimal:
        """Return (a - m) / T."""
        a, m = (Decimal(float(self.logits[j])) for j in (place, self.likeliest[0]))
        return EXACT.divide(EXACT.subtract(a, m), Decimal(self.T))

    @cached_property
    def log_sum(self) -> Decimal:
        """The logarithm of the sum of exp(a / T)."""
        top = self.likeliest[0]
        of_top = log_softmax(self.logits, temperature=self.T)[top]
        return EXACT.subtract(self.over_temperature(top), Decimal(float(of_top)))

    @cached_property
    def naive(self) -> tuple[FloatArray, FloatArray]:
        """The exponentials without a shift, and each over their sum, as NumPy computes them."""
        dtype = np.dtype(np.float32) if self.dtype == BFLOAT16 else self.dtype
        with np.errstate(all="ignore"):
            g = np.exp(self.logits.astype(dtype) / dtype.type(self.T))
            return g, g / g.sum()

    def others(self, place: int) -> float:
        """Return 1 - P of a class as the sum of the other probabilities."""
        return float(complement(self.P[None, :].copy())[0, place])

    def probability(self, place: int) -> str:
        """Return the text of a probability; never 0 or 1 by rounding alone."""
        text, others = self.digits.number(self.P[place]), self.others(place)
        if text == "1" and others:
            return f"(1 - {self.digits.number(others)})"
        if text == "0" and self.logits[place] > -np.inf:
            return self.digits.power(EXACT.subtract(self.over_temperature(place), self.log_sum))
        return text

    def misprinted(self, values: FloatArray, right: FloatArray) -> list[int]:
        """Return the classes, shown ones first, whose values differ from the right ones in text."""
        number = self.digits.number
        wrong = [j for j in self.listed if number(values[j]) != number(right[j])]
        return sorted(wrong, key=lambda j: j not in self.shown)

    def by_class(self, columns: Mapping[str, Values], *, has_bars: bool = False) -> list[Part]:
        """Return a table with a line for each shown class, and bars of the probabilities."""
        shown, number = self.shown, self.digits.number
        cells: list[Sequence[str | Gauge]] = [[self.name(place) for place in shown]]
        for values in columns.values():
            texts = [v if isinstance(v, str) else number(v) for v in _at(values, shown)]
            cells.append(align_numbers(texts))
        if has_bars:
            cells.append([Gauge(self.P[place]) for place in shown])
        gaps = [n for n, (before, place) in enumerate(pairwise(shown), 1) if place > before + 1]
        headings, rows = ["class", *columns, *[""] * has_bars], [*zip(*cells, strict=True)]
        strong = [shown.index(self.likeliest[0])] * has_bars
        table = Table(headings, rows, names=(0,), gaps=gaps, strong=strong)
        return [table, *self.left_out(shown)]

    def left_out(self, shown: Sequence[int]) -> list[Part]:
        """Return a line that says how many classes are shown, if not all are."""
        note = Line(f"{len(shown)} of {self.classes} classes shown", "dim")
        return [note] if len(shown) < self.classes else []

    def facts(self, **vectors: Values) -> dict[str, object]:
        """Return the values of classes for JSON, with the numbers of the classes."""
        numbers = {k: [*map(float, _at(values, self.listed))] for k, values in vectors.items()}
        return {"classes": [place + self.label_base for place in self.listed], **numbers}

    def no_result(self, name: str, title: str, parts: Iterable[Part] = ()) -> Step:
        """Return the step of a row without a result: why, and what is written instead."""
        written = {"nan": "nan", "zero": "0"}.get(self.on_bad_row, "nothing")
        notes = f"{written} is written instead (--on-bad-row {self.on_bad_row})"
        return Step(name, title, parts=[*parts, notes])


def _at(values: Values, places: Iterable[int]) -> list[Any]:
    return [values(place) if callable(values) else values[place] for place in places]


def keep_first_rows(
    source: Source, steps_of: Callable[[Block], list[Step]]
) -> tuple[Source, Callable[[], list[Step]]]:
    """Return a source that keeps its first rows, and a function that explains them afterwards."""
    first: dict[int, Block] = {}
    lock, count = Lock(), 0

    def keep(block: Block) -> Block:
        nonlocal count
        with lock:
            count += len(block.values)
            for row in range(len(block.values)):
                if block.number(row) >= EXPLAINED:
                    break
                part = block.part(row, row + 1)
                # Copied, because the block may be computed in place.
                partner = None if part.partner is None else part.partner.copy()
                first[block.number(row)] = replace(part, values=part.values.copy(), partner=partner)
        return block

    return source.map(keep), lambda: steps_of_rows(
        {number: steps_of(block) for number, block in first.items()}, count
    )


def steps_of_rows(explained: Mapping[int, list[Step]], rows: int) -> list[Step]:
    """Return the steps by number of row as one list, and one on how many rows are explained."""
    steps = [step._replace(row=n) for n, of_row in sorted(explained.items()) for step in of_row]
    if len(explained) == rows > 0:
        return steps
    notes = f"{len(explained)} of {rows} row{'s' * (rows != 1)} explained"
    return [*steps, Step("rows", "", facts={"rows": rows}, parts=[Line(notes, "dim")])]
