"""How the derivative of a row's softmax, or of its logarithm, comes about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.softmax import jacobian_products as products
from softmax_cli.core.softmax.jacobian import log_softmax_jacobian_lines, softmax_jacobian_lines
from softmax_cli.display.matrix import matrix_grid
from softmax_cli.display.parts import Line, Part
from softmax_cli.display.steps import Step
from softmax_cli.explain.row import EXACT, WHOLE, Row
from softmax_cli.explain.softmax import softmax_steps

# A row whose largest probability is this near to 1.
CONFIDENT = 1e-3


def jacobian_steps(row: Row, of: str) -> list[Step]:
    """Return the steps to the probabilities, and from there to the matrix."""
    steps = softmax_steps(row)
    if not row.has_softmax:
        return steps
    derivation = _of_softmax(row) if of == "softmax" else _of_log_softmax(row)
    return [*steps, *derivation, _matrix(row, of)]


def product_steps(row: Row, of: str, product: str, vector: Rows) -> list[Step]:
    """Return the steps to the matrix, and to its product with a vector."""
    steps = jacobian_steps(row, of)
    return [*steps, _product(row, of, product, vector)] if row.has_softmax else steps


def _over(row: Row) -> str:
    return "" if row.T == 1 else " / T"


class _Terms:
    """The numbers g and h of a row as they enter a quotient: shifted where they would overflow."""

    def __init__(self, row: Row) -> None:
        g, S = row.naive
        # h is squared below.
        self.are_shifted = not (np.isfinite(S).all() and 1e-100 < float(g.sum()) < 1e100)
        self._row = row

    def g(self, place: int) -> str:
        row = self._row
        return row.digits.power(
            row.shifted(place) if self.are_shifted else row.over_temperature(place)
        )

    @property
    def h(self) -> str:
        row = self._row
        if self.are_shifted:
            return row.digits.number(row.shifted_sum)
        return row.digits.power(row.log_sum)

    @property
    def said(self) -> list[Part]:
        said = "g and h are those after the shift: the factor in both cancels here as well"
        return [Line(said)] if self.are_shifted else []


def _of_softmax(row: Row) -> list[Step]:
    digits, terms, over = row.digits, _Terms(row), _over(row)
    under = "h^2" if not over else "(T h^2)"
    i, *rest = row.likeliest
    g_i, h, T = terms.g(i), terms.h, _over_number(row)
    S_i, others = digits.number(row.P[i]), digits.number(row.others(i))
    rule = [
        "S_i = g_i / h",
        "dS_i/da_j = (dg_i/da_j h - g_i dh/da_j) / h^2",
        f"dg_i/da_j = g_i{over} if i = j, else 0;  dh/da_j = g_j{over}",
    ]
    own = _line(row, "softmax", i)
    steps = [
        Step("quotient-rule", "The quotient rule", rule, {}, terms.said, row.number),
        _case(
            row,
            (i, i),
            f"dS_i/da_i = (g_i h - g_i g_i) / {under} = S_i (1 - S_i){over}",
            [f"({g_i} * {h} - {g_i} * {g_i}) / {h}^2{T}", f"{S_i} * {others}{T}"],
            own,
            _of_others(row, "softmax", i),
        ),
    ]
    if not rest:
        return [*steps, _no_other(row, "S is 1")]
    g_j, S_j = terms.g(rest[0]), digits.number(row.P[rest[0]])
    different = f"dS_i/da_j = (0 h - g_i g_j) / {under} = -S_i S_j{over}"
    numbers = [f"(0 - {g_i} * {g_j}) / {h}^2{T}", f"-{S_i} * {S_j}{T}"]
    return [*steps, _case(row, (i, rest[0]), different, numbers, own)]


def _of_log_softmax(row: Row) -> list[Step]:
    digits, terms, over = row.digits, _Terms(row), _over(row)
    i, *rest = row.likeliest
    h, T = terms.h, _over_number(row)
    rule = [
        f"log S_i = log g_i - log h = a_i{over} - log h",
        f"d log S_i/da_j = delta_ij{over} - (dh/da_j) / h,  dh/da_j = g_j{over}",
    ]
    title = "The logarithm, and the chain rule"
    own = _line(row, "log-softmax", i)
    steps = [
        Step("chain-rule", title, rule, {}, terms.said, row.number),
        _case(
            row,
            (i, i),
            f"d log S_i/da_i = (1 - g_i / h){over} = (1 - S_i){over}",
            [f"(1 - {terms.g(i)} / {h}){T}", f"(1 - {row.probability(i)}){T}"],
            own,
            _of_others(row, "log-softmax", i),
        ),
    ]
    if not rest:
        return [*steps, _no_other(row, "log S is 0")]
    different = f"d log S_i/da_j = (0 - g_j / h){over} = -S_j{over}"
    numbers = [f"(0 - {terms.g(rest[0])} / {h}){T}", f"-{digits.number(row.P[rest[0]])}{T}"]
    return [*steps, _case(row, (i, rest[0]), different, numbers, own)]


def _of_others(row: Row, of: str, i: int) -> list[str]:
    """Return how 1 - S of a confident row keeps its digits, and what naive evaluation keeps."""
    others, naive = row.others(i), row.naive[1][i]
    if not 0 < others < CONFIDENT:
        return []
    said = ["1 - S_i is the sum of the other probabilities: no digit cancels"]
    weighs, of_naive = (float(row.P[i]), naive) if of == "softmax" else (1.0, 1)
    due, printed = (
        row.digits.number(float(each) / row.T) for each in (weighs * others, of_naive * (1 - naive))
    )
    if printed != due:
        said.append(f"naive evaluation in {row.naive_dtype} prints {printed}")
    return said


def _case(
    row: Row,
    place: tuple[int, int],
    formula: str,
    numbers: Sequence[str],
    line: Rows,
    also: Sequence[str] = (),
) -> Step:
    """Return the step to the entry at a place, of whose line the numbers are known."""
    i, j = place
    name, title = "diagonal", f"The case i = j, for i = {row.name(i)}"
    if i != j:
        name = "off-diagonal"
        title = f"The case i != j, for i = {row.name(i)} and j = {row.name(j)}"
    derivative = float(line[j])
    parts = [Line(f"= {text}", indent=2) for text in (*numbers, row.digits.number(derivative))]
    parts += map(Line, also)
    facts: dict[str, object] = {"i": i, "j": j, "derivative": derivative}
    return Step(name, title, [formula], facts, parts, row.number)


def _no_other(row: Row, what: str) -> Step:
    said = Line(f"{what}, whatever the logit, and its derivative is 0")
    return Step("off-diagonal", "There is no other class", parts=[said], row=row.number)


def _over_number(row: Row) -> str:
    return "" if row.T == 1 else f" / {row.digits.number(row.T)}"


def _line(row: Row, of: str, i: int) -> Rows:
    """Return line i of the matrix."""
    lines = np.empty((1, 1, row.classes))
    write = softmax_jacobian_lines if of == "softmax" else log_softmax_jacobian_lines
    write(row.logits[None, :], i, i + 1, temperature=row.T, out=lines)
    result: Rows = lines[0, 0]
    return result


def _matrix(row: Row, of: str) -> Step:
    over, places = _over(row), row.shown
    if row.classes > WHOLE:
        places = sorted({0, *row.likeliest, row.classes - 1})
    name, formula = (
        ("dS_i/da_j", f"S_i (delta_ij - S_j){over}")
        if of == "softmax"
        else ("d log S_i/da_j", f"(delta_ij - S_j){over}")
    )
    lines = [_line(row, of, i)[places] for i in places]
    names = [row.name(place) for place in places]
    parts: list[Part] = [
        Line("delta_ij is 1 where i = j, and 0 elsewhere: both cases in one line"),
        matrix_grid(names, names, [line.tolist() for line in lines], row.digits.number),
    ]
    if len(places) < row.classes:
        parts.append(Line(f"{len(places)} of {row.classes} classes shown", "dim"))
    zero = "each line sums to 0, as logits that are moved alike change nothing"
    parts.append(Line(zero))
    facts: dict[str, object] = {"classes": places, "entries": [line.tolist() for line in lines]}
    return Step("jacobian", "The Jacobian", [f"{name} = {formula}"], facts, parts, row.number)


_PRODUCTS = {
    ("softmax", "vjp"): (products.softmax_product, "(v J)_j", "S_j (v_j - {})", "sum_i v_i S_i"),
    ("softmax", "jvp"): (products.softmax_product, "(J v)_i", "S_i (v_i - {})", "sum_j S_j v_j"),
    ("log-softmax", "vjp"): (
        products.log_softmax_vjp_product,
        *("(v J)_j", "(v_j - S_j {})", "sum_i v_i"),
    ),
    ("log-softmax", "jvp"): (
        products.log_softmax_jvp_product,
        *("(J v)_i", "(v_i - {})", "sum_j S_j v_j"),
    ),
}


def _product(row: Row, of: str, product: str, vector: Rows) -> Step:
    digits = row.digits
    product_of, name, formula, sum_ = _PRODUCTS[of, product]
    result = np.empty((1, row.classes))
    products.row_products(
        product_of, row.logits[None, :], vector[None, :], temperature=row.T, out=result
    )
    symbol = "v J" if product == "vjp" else "J v"
    total = _sum_of(row, vector, weighs="S" in sum_)
    columns = [
        ("v", lambda j: digits.number(float(vector[j]))),
        ("S", lambda j: digits.number(float(row.P[j]))),
        (symbol, lambda j: digits.number(float(result[0, j]))),
    ]
    said = [f"{sum_} = {digits.number(total)}; the matrix is not needed"]
    if _is_rounding(row, vector, result[0]):
        said.append("what is below 1e-15 of S_j v_j is the rounding of S: read it as 0")
    facts = row.facts(vector=lambda j: float(vector[j]), product=lambda j: result[0, j])
    return Step(
        product,
        f"The product {symbol}",
        [f"{name} = {formula.format(sum_)}{_over(row)}"],
        {**facts, "sum": total},
        [*row.by_class(columns), *map(Line, said)],
        row.number,
    )


def _is_rounding(row: Row, vector: Rows, result: Rows) -> bool:
    """Tell whether any number of a product is no more than what the rounding of S leaves."""
    size = np.abs(result)
    return bool(((size > 0) & (size < 1e-15 * row.P * np.abs(vector).max() / row.T)).any())


def _sum_of(row: Row, vector: Sequence[float] | Rows, *, weighs: bool) -> float:
    """Return sum v, or sum S v."""
    total = EXACT.create_decimal(0)
    for v, S in zip(vector, row.P, strict=True):
        term = EXACT.create_decimal_from_float(float(v))
        if weighs:
            term = EXACT.multiply(term, EXACT.create_decimal_from_float(float(S)))
        total = EXACT.add(total, term)
    return float(total)
