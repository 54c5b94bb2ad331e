"""Calls of the compiled kernel, on rows of numbers that are checked and laid out here."""

from __future__ import annotations

import math
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from softmax_cli.core.kernel import choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    Rows = NDArray[np.float64]
    Classes = NDArray[np.intp]

# A number as a float64 and the rest of it.
Pair = tuple[float, float]

ONE: Pair = (1.0, 0.0)
# ln 2 in units of 2^-200.
_LN_2_BITS = 200
_LN_2 = 1113844574712631719546256151097547306333272293549090750737802
# Temperatures and divisors are normal numbers, and so are all products with them.
_EXTREME = 2.0**900
# How much exponents of probabilities are raised, and in products with vectors.
_RAISED, _RAISED_IN_PRODUCTS = 1000, 500
# Numbers of `words` in the kernel, and those that it adds in one call.
_WORDS, _MOST_NUMBERS = 68, 1 << 29
# The dtypes of its arrays; bfloat16 is raw.
_TYPES = {np.dtype(name): number for number, name in enumerate(("f2", "V2", "f4", "f8"))}
# In the order of the kernel's table.
_OPERATIONS = (
    *("softmax", "log_softmax", "log_odds", "likeliest", "losses", "products", "slopes"),
    *("loss_errors", "product_errors", "scores", "convert"),
)
_PRODUCTS = ("softmax", "log_softmax", "log_softmax_from_left")


class _Targets(Protocol):
    """Labels (rows, 1), or soft targets (rows, classes) with their rests; scales of the rows."""

    @property
    def is_soft(self) -> bool: ...
    @property
    def targets(self) -> NDArray[Any]: ...
    @property
    def rest(self) -> Rows | None: ...
    @property
    def scale(self) -> tuple[Rows, Rows] | None: ...


def computes(a: FloatArray, *scalars: float) -> ModuleType | None:
    """Return the kernel if there is one, and it takes these rows, temperatures and divisors."""
    if any(not 1 / _EXTREME < each < _EXTREME for each in scalars):
        return None
    return choice.compiled() if _native(a) in _TYPES and a.size else None


def softmax(
    a: FloatArray, T: float, out: NDArray[Any], divisor: Pair = ONE, raised: int = 0
) -> None:
    """Write softmax / divisor * 2^raised."""
    _compute("softmax", a, _numbers(T, divisor=divisor, power=raised), out=out)


def log_softmax(a: FloatArray, T: float, out: NDArray[Any], unit: Pair) -> None:
    """Write the logarithms of the softmax, in a unit that is the logarithm of their base."""
    _compute("log_softmax", a, _numbers(T, unit), out=out)


def log_odds(a: FloatArray, T: float) -> tuple[Rows, Rows]:
    """Return the largest logit m of each row, (rows, 1), and log(1 + odds) against it."""
    largest, logarithms = np.empty((2, len(a), 1))
    _compute("log_odds", a, _numbers(T), first=largest, second=logarithms)
    return largest, logarithms


def likeliest(a: FloatArray) -> tuple[Classes, Rows]:
    """Return the class of the largest logit of each row, or of its first NaN, and the logit."""
    top, largest = np.empty(len(a), np.int64), np.empty(len(a))
    _compute("likeliest", a, _numbers(1.0), first=top, second=largest)
    return top.astype(np.intp, copy=False), largest


def losses(
    a: FloatArray,
    weighted: _Targets,
    T: float,
    unit: Pair,
    gradients: NDArray[Any] | None = None,
    divisor: Pair = ONE,
    tops: Classes | None = None,
) -> Rows:
    """Return the loss of each row, (rows, 1); for labels, write scale * (P - Y) / divisor."""
    result = np.empty((len(a), 1))
    numbers = _numbers(T, unit, divisor)
    _compute("losses", a, numbers, weighted=weighted, tops=tops, out=gradients, first=result)
    return result


def product(
    of: str,
    a: FloatArray,
    v: NDArray[Any],
    T: float,
    divisor: Pair,
    out: NDArray[Any],
    *,
    sign: int = 1,
) -> None:
    """Write sign * J v / divisor, or v J "from left"; J is a Jacobian without its division by T."""
    signed = (sign * divisor[0], sign * divisor[1])
    number = _PRODUCTS.index(of)
    numbers = _numbers(T, divisor=signed, raised=_RAISED_IN_PRODUCTS, product=number)
    _compute("products", a, numbers, b=v, out=out)


def gradient_errors(
    a: FloatArray,
    weighted: _Targets,
    T: float,
    divisor: Pair,
    claimed: NDArray[Any],
    tolerances: Rows,
    rule: tuple[float, float, float],
) -> Rows:
    """Return how claimed gradients of losses differ from exact ones: the columns of `RowErrors`.

    Soft targets are scaled; tolerances and rule are the parts of a `Rule`.
    """
    result, compared = np.empty((len(a), 7)), (_operand(claimed), tolerances)
    if weighted.is_soft:
        number, divisor = _PRODUCTS.index("log_softmax_from_left"), (-divisor[0], -divisor[1])
        numbers = _numbers(
            T, divisor=divisor, raised=_RAISED_IN_PRODUCTS, product=number, rule=rule
        )
        _compute("product_errors", a, numbers, b=weighted.targets, first=result, compared=compared)
    else:
        numbers = _numbers(T, divisor=divisor, rule=rule)
        _compute("loss_errors", a, numbers, weighted=weighted, first=result, compared=compared)
    return result


def slopes(a: FloatArray, weighted: _Targets, T: float, tops: Classes | None = None) -> Rows:
    """Return the four slopes of the loss of each row, (rows, 4)."""
    result = np.empty((len(a), 4))
    _compute("slopes", a, _numbers(T, raised=0), weighted=weighted, tops=tops, first=result)
    return result


def scores(a: FloatArray, weighted: _Targets, T: float, tops: Classes) -> tuple[Rows, Rows]:
    """Return the probability of each row's likeliest class, and its Brier score for the label."""
    P, B = np.empty((2, len(a)))
    _compute("scores", a, _numbers(T, raised=0), weighted=weighted, tops=tops, first=P, second=B)
    return P, B


def convert(a: FloatArray, out: NDArray[Any]) -> None:
    """Write numbers as another dtype, raw bfloat16 too, rounded once."""
    _compute("convert", a.reshape(1, -1), _numbers(1.0), out=out.reshape(1, -1))


def exact_sum(numbers: Rows) -> tuple[int, float]:
    """Return the exact sum of finite numbers, in units of 2^-1074, and the sum of the others."""
    kernel = choice.compiled()
    assert kernel is not None
    numbers, units, others = _operand(numbers), 0, 0.0
    for start in range(0, numbers.size, _MOST_NUMBERS):
        part, words = numbers[start : start + _MOST_NUMBERS], np.zeros(_WORDS, np.int64)
        others += kernel.add_exactly(part, part.size, words)
        units += sum(word << (32 * place) for place, word in enumerate(words.tolist()) if word)
    return units, others


def _compute(
    operation: str,
    a: FloatArray,
    numbers: Rows,
    *,
    b: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
    weighted: _Targets | None = None,
    tops: Classes | None = None,
    first: NDArray[Any] | None = None,
    second: NDArray[Any] | None = None,
    compared: tuple[NDArray[Any], Rows] | tuple[None, None] = (None, None),
) -> None:
    """Call the kernel; every array is C-contiguous and aligned, and of a dtype that it knows."""
    kernel = choice.compiled()
    assert kernel is not None
    a, rests, labels = _operand(a), None, None
    scale: tuple[Rows, Rows] | tuple[None, None] = (None, None)
    if weighted is not None:
        if weighted.is_soft:
            b, rests = weighted.targets, weighted.rest
        else:
            labels = _operand(weighted.targets, np.int64)
        if weighted.scale is not None:
            scale = (_operand(weighted.scale[0]), _operand(weighted.scale[1]))
    b = None if b is None else _operand(b, b.dtype if b.dtype in _TYPES else np.float64)
    rests = None if rests is None else _operand(rests, None if b is None else b.dtype)
    result = out if out is None or _is_operand(out) else np.empty(out.shape, _native(out))
    kernel.compute(
        _OPERATIONS.index(operation),
        *a.shape,
        _typed(a),
        (*_typed(b), rests, b is not None and len(b) < len(a)),
        _typed(result),
        (*_typed(compared[0]), compared[1]),
        (labels, None if tops is None else _operand(tops, np.int64), *scale),
        (first, second),
        numbers,
    )
    if out is not None and result is not out:
        out[...] = result


def _native(array: NDArray[Any]) -> np.dtype[Any]:
    return array.dtype.newbyteorder("=")


def _is_operand(array: NDArray[Any]) -> bool:
    # NumPy calls raw bytes aligned anywhere.
    flags = (array.view(np.uint16) if array.dtype.kind == "V" else array).flags
    return flags.c_contiguous and flags.aligned and array.dtype.isnative


def _operand(array: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
    wanted = _native(array) if dtype is None else np.dtype(dtype)
    fits = array.dtype == wanted and _is_operand(array)
    return array if fits else np.array(array, wanted, order="C")


def _typed(array: NDArray[Any] | None) -> tuple[NDArray[Any] | None, int]:
    if array is None:
        return None, 0
    return (array.view(np.uint16) if array.dtype.kind == "V" else array), _TYPES[array.dtype]


@lru_cache(64)
def _numbers(
    T: float,
    unit: Pair = ONE,
    divisor: Pair = ONE,
    *,
    power: int = 0,
    raised: int = _RAISED,
    product: int = 0,
    rule: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Rows:
    """Return the `numbers` of the kernel, in its order."""
    over, under = T.as_integer_ratio()
    of_unit, of_divisor = _Ratio.of(unit), math.frexp(divisor[0])[1] - 1
    step = _Ratio(over * _LN_2, under << _LN_2_BITS)
    # The product of 32 bits of the step and a whole number of 20 bits is exact.
    grid = math.frexp(step.pair()[0])[1] - 32
    head = math.ldexp(round(math.ldexp(step.pair()[0], -grid)), grid)
    return np.array(
        [
            *(T, step.inverse().pair()[0], head, step.minus(head).pair()[0]),
            *((1018 + raised) * math.log(2) * T, raised),
            *_Ratio(under, over).pair(),
            *unit,
            *of_unit.inverse().pair(),
            *_Ratio(under * of_unit.under, over * of_unit.over).pair(),
            *(math.ldexp(part, -of_divisor) for part in divisor),
            *(power - of_divisor, product, *rule),
        ]
    )


class _Ratio(NamedTuple):
    """An exact quotient of whole numbers; the module `fractions` would take 10 ms to load."""

    over: int
    under: int

    @classmethod
    def of(cls, x: Pair) -> _Ratio:
        (a, b), (c, d) = x[0].as_integer_ratio(), x[1].as_integer_ratio()
        return cls(a * d + c * b, b * d)

    def inverse(self) -> _Ratio:
        return _Ratio(self.under, self.over)

    def minus(self, x: float) -> _Ratio:
        over, under = x.as_integer_ratio()
        return _Ratio(self.over * under - over * self.under, self.under * under)

    def pair(self) -> Pair:
        high = self.over / self.under
        left = self.minus(high)
        return high, left.over / left.under
