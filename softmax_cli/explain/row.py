"""A row of logits for an explanation: which classes are shown, and exact numbers of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import cached_property
from typing import Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.bfloat16 import BFLOAT16
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.softmax.jacobian_products import complement
from softmax_cli.core.softmax.softmax import log_softmax, softmax
from softmax_cli.display.alignment import align_numbers, first_and_last
from softmax_cli.display.parts import MARK, Gauge, Line, Part, Table
from softmax_cli.display.rich.names import cut_name
from softmax_cli.formats.model.options import OnBadRow

# Classes of a row that is shown whole; of a longer one, those at its ends.
WHOLE, AT_THE_ENDS = 12, 6
# Classes of a row of which programs are told all.
TOLD = 1000
# Beyond e to this, only the exponent of a number is told.
_LARGEST_POWER = 10**12

EXACT = Context(prec=30, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_LN10 = EXACT.ln(Decimal(10))

Text = Callable[[int], str]


@dataclass(frozen=True)
class Digits:
    """How numbers are written: so many significant digits, whatever their size."""

    precision: int

    def number(self, value: float | Decimal) -> str:
        """Return a number's text.

        >>> Digits(6).number(-0.0), Digits(6).number(Decimal("1.97007111e434"))
        ('0', '1.97007e+434')
        """
        rounded = float(value) + 0.0
        beyond = rounded == 0 or abs(rounded) == float("inf")
        if isinstance(value, Decimal) and value.is_finite() and value and beyond:
            return f"{value:.{self.precision}g}"
        return f"{rounded:.{self.precision}g}"

    def power(self, exponent: Decimal) -> str:
        """Return the text of e to an exponent.

        >>> Digits(6).power(Decimal(1000)), Digits(6).power(Decimal("1e300"))
        ('1.97007e+434', '10^(4.34294e+299)')
        """
        if exponent.is_finite() and abs(exponent) > _LARGEST_POWER:
            return f"10^({self.number(EXACT.divide(exponent, _LN10))})"
        return self.number(EXACT.exp(exponent))

    def numbers(self, values: Sequence[float] | FloatArray) -> str:
        """Return numbers with commas between."""
        return ", ".join(self.number(float(value)) for value in values)


@dataclass(frozen=True, eq=False)
class Row:
    """A row of logits, its temperature T, and how its numbers are shown.

    logits  (classes,) as float64
    dtype   of the input, in which a naive evaluation would compute
    also    classes that are shown whatever their place, a label for instance
    masked  classes whose logits were replaced by -inf
    on_bad_row  what stands in for the result where there is none
    """

    number: int
    logits: Rows
    dtype: np.dtype[Any]
    T: float
    names: Sequence[str] | None
    digits: Digits
    also: tuple[int, ...] = ()
    masked: tuple[int, ...] = ()
    on_bad_row: OnBadRow = "error"

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.logits)

    def name(self, place: int) -> str:
        """Return the name of a class, or its number."""
        return cut_name(str(place if self.names is None else self.names[place]))

    @cached_property
    def has_softmax(self) -> bool:
        """Whether it has: no NaN, no +inf, and not every entry -inf."""
        return bool(np.isfinite(self.logits.max()))

    @cached_property
    def likeliest(self) -> list[int]:
        """The classes of the two largest logits, of equal ones the first."""
        return [int(place) for place in np.argsort(-self.logits, kind="stable")[:2]]

    @cached_property
    def maximum(self) -> Decimal:
        """The largest logit, m."""
        return Decimal(float(self.logits.max()))

    @cached_property
    def P(self) -> Rows:  # noqa: N802
        """The probabilities, (classes,)."""
        return wide(softmax(self.logits, temperature=self.T))

    @cached_property
    def shown(self) -> list[int]:
        """The classes that people are shown."""
        places = first_and_last(self.classes, WHOLE if self.classes <= WHOLE else AT_THE_ENDS)
        return sorted({*places, *self.likeliest, *self.also})

    @cached_property
    def told(self) -> list[int]:
        """The classes that programs are told of."""
        return self.shown if self.classes > TOLD else list(range(self.classes))

    def over_temperature(self, place: int) -> Decimal:
        """Return a / T."""
        return EXACT.divide(Decimal(float(self.logits[place])), Decimal(self.T))

    def shifted(self, place: int) -> Decimal:
        """Return (a - m) / T."""
        distance = EXACT.subtract(Decimal(float(self.logits[place])), self.maximum)
        return EXACT.divide(distance, Decimal(self.T))

    @cached_property
    def shifted_sum(self) -> float:
        """The sum of exp((a - m) / T), whose largest term is 1."""
        return 1 / float(self.P[self.likeliest[0]])

    @cached_property
    def log_sum(self) -> Decimal:
        """The logarithm of the sum of exp(a / T)."""
        of_top = log_softmax(self.logits, temperature=self.T)[self.likeliest[0]]
        largest = EXACT.divide(self.maximum, Decimal(self.T))
        return EXACT.subtract(largest, Decimal(float(of_top)))

    @cached_property
    def naive_dtype(self) -> np.dtype[Any]:
        """What NumPy computes in, given such a row."""
        return np.dtype(np.float32) if self.dtype == BFLOAT16 else self.dtype

    @cached_property
    def naive(self) -> tuple[FloatArray, FloatArray]:
        """The exponentials as they come, and each over their sum: where it overflows, nonsense."""
        with np.errstate(all="ignore"):
            a = self.logits.astype(self.naive_dtype) / self.naive_dtype.type(self.T)
            g = np.exp(a)
            return g, g / g.sum()

    def others(self, place: int) -> float:
        """Return 1 - P of a class without the rounding of P: the sum of the others."""
        return float(complement(self.P[None, :].copy())[0, place])

    def probability(self, place: int) -> str:
        """Return the text of a probability, which is neither 0 nor 1 by rounding alone."""
        text, others = self.digits.number(self.P[place]), self.others(place)
        if text == "1" and others:
            return f"(1 - {self.digits.number(others)})"
        if text == "0" and self.logits[place] > -np.inf:
            return self.digits.power(EXACT.subtract(self.over_temperature(place), self.log_sum))
        return text

    def instead(self) -> Line:
        """Return what is written where there is no result."""
        written = {"nan": "nan", "zero": "0"}.get(self.on_bad_row, "nothing")
        return Line(f"{written} is written instead, as --on-bad-row {self.on_bad_row} asks")

    def by_class(
        self, columns: Sequence[tuple[str, Text]], gauges: Sequence[float] | Rows | None = None
    ) -> list[Part]:
        """Return a table with a line for each class that is shown; gauges stand at the end."""
        texts = [align_numbers([text(place) for place in self.shown]) for _, text in columns]
        top = self.likeliest[0]
        if gauges is not None:
            texts[-1] = [
                MARK[place == top] + text for place, text in zip(self.shown, texts[-1], strict=True)
            ]
        rows = [
            (self.name(place), *cells, *([] if gauges is None else [Gauge(gauges[place])]))
            for place, *cells in zip(self.shown, *texts, strict=True)
        ]
        gaps = [
            number
            for number, place in enumerate(self.shown)
            if number and place != self.shown[number - 1] + 1
        ]
        headings = ["class", *(heading for heading, _ in columns), *[""] * (gauges is not None)]
        strong = [self.shown.index(top)] if gauges is not None else []
        parts: list[Part] = [Table(headings, rows, names=(0,), gaps=gaps, strong=strong)]
        if gaps:
            parts.append(Line(f"{len(self.shown)} of {self.classes} classes shown", "dim"))
        return parts

    def facts(self, **vectors: Callable[[int], float | Decimal]) -> dict[str, object]:
        """Return numbers of classes for programs, beside the classes' own numbers."""
        return {
            "classes": self.told,
            **{name: [float(of(place)) for place in self.told] for name, of in vectors.items()},
        }
