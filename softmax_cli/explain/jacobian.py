"""Derives the Jacobian of a row's softmax, or of its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce

import numpy as np

from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.softmax.jacobian import log_softmax_jacobian_lines, softmax_jacobian_lines
from softmax_cli.core.softmax.jacobian_products import PRODUCTS, row_products
from softmax_cli.display.parts import Line, Step, matrix_grid
from softmax_cli.explain.rows import EXACT, WHOLE, Row
from softmax_cli.explain.softmax import softmax_steps

# A row is confident if its other probabilities sum to less.
_CONFIDENT = 1e-3
# What a product is, its formula, and the sum in it.
_PRODUCTS = {
    ("softmax", "vjp"): ("(v J)_j", "S_j (v_j - {})", "sum_i v_i S_i"),
    ("softmax", "jvp"): ("(J v)_i", "S_i (v_i - {})", "sum_j S_j v_j"),
    ("log-softmax", "vjp"): ("(v J)_j", "(v_j - S_j {})", "sum_i v_i"),
    ("log-softmax", "jvp"): ("(J v)_i", "(v_i - {})", "sum_j S_j v_j"),
}


def jacobian_steps(row: Row, of: str) -> list[Step]:
    """Return the steps to the probabilities, and from there to the matrix."""
    steps = softmax_steps(row)
    return [*steps, *_derivation(row, of), _matrix(row, of)] if row.has_softmax else steps


def _derivation(row: Row, of: str) -> list[Step]:
    digits, over, i, j = row.digits, row.over, row.likeliest[0], row.likeliest[-1]
    exponentials, S = row.naive
    T = f" / {digits.number(row.T)}" if over else ""
    h, exponent, notes = digits.power(row.log_sum), row.over_temperature, list[str]()
    # h is squared below.
    if not (np.isfinite(S).all() and 1e-100 < float(exponentials.sum()) < 1e100):
        h, exponent = digits.number(1 / float(row.P[i])), row.shifted
        notes = ["g and h are taken after the shift: the common factor cancels here too"]
    g_i, g_j = digits.power(exponent(i)), digits.power(exponent(j))
    S_i, S_j = digits.number(row.P[i]), digits.number(row.P[j])
    if of == "softmax":
        name, title, constant = "quotient-rule", "The quotient rule", "S is 1"
        rule = [
            "S_i = g_i / h",
            "dS_i/da_j = (dg_i/da_j h - g_i dh/da_j) / h^2",
            f"dg_i/da_j = g_i{over} if i = j, else 0;  dh/da_j = g_j{over}",
        ]
        under = "(T h^2)" if over else "h^2"
        diagonal = [
            f"dS_i/da_i = (g_i h - g_i g_i) / {under} = S_i (1 - S_i){over}",
            f"({g_i} * {h} - {g_i} * {g_i}) / {h}^2{T}",
            f"{S_i} * {digits.number(row.others(i))}{T}",
        ]
        off_diagonal = [
            f"dS_i/da_j = (0 h - g_i g_j) / {under} = -S_i S_j{over}",
            f"(0 - {g_i} * {g_j}) / {h}^2{T}",
            f"-{S_i} * {S_j}{T}",
        ]
    else:
        name, title, constant = "chain-rule", "The logarithm, and the chain rule", "log S is 0"
        rule = [
            f"log S_i = log g_i - log h = a_i{over} - log h",
            f"d log S_i/da_j = delta_ij{over} - (dh/da_j) / h,  dh/da_j = g_j{over}",
        ]
        diagonal = [
            f"d log S_i/da_i = (1 - g_i / h){over} = (1 - S_i){over}",
            f"(1 - {g_i} / {h}){T}",
            f"(1 - {row.probability(i)}){T}",
        ]
        off_diagonal = [
            f"d log S_i/da_j = (0 - g_j / h){over} = -S_j{over}",
            f"(0 - {g_j} / {h}){T}",
            f"-{S_j}{T}",
        ]
    last = _case(row, of, i, j, off_diagonal)
    if i == j:
        of_one = [f"{constant} for any logit, and its derivative is 0"]
        last = Step("off-diagonal", "There is no other class", parts=of_one)
    first = _case(row, of, i, i, diagonal, _precision_kept(row, of, i))
    return [Step(name, title, rule, parts=notes), first, last]


def _precision_kept(row: Row, of: str, i: int) -> list[str]:
    """Return how 1 - S of a confident row keeps its digits, and what naive evaluation prints."""
    others, naive = row.others(i), row.naive[1][i]
    if not 0 < others < _CONFIDENT:
        return []
    notes = ["1 - S_i is the sum of the other probabilities: no digit cancels"]
    S_i, of_naive = (float(row.P[i]), naive) if of == "softmax" else (1.0, 1)
    printed = row.digits.number(float(of_naive * (1 - naive)) / row.T)
    if printed != row.digits.number(S_i * others / row.T):
        notes.append(f"naive evaluation in {row.naive[0].dtype} prints {printed}")
    return notes


def _case(
    row: Row, of: str, i: int, j: int, formulas: Sequence[str], notes: Sequence[str] = ()
) -> Step:
    """Return the step to entry (i, j): its formula, first with symbols, then with numbers."""
    name, title = "diagonal", f"The case i = j, for i = {row.name(i)}"
    if i != j:
        name = "off-diagonal"
        title = f"The case i != j, for i = {row.name(i)} and j = {row.name(j)}"
    derivative = float(_line(row, of, i)[j])
    formula, *numbers = *formulas, row.digits.number(derivative)
    facts: dict[str, object] = {"i": i, "j": j, "derivative": derivative}
    parts = [Line(f"= {text}", indent=2) for text in numbers]
    return Step(name, title, [formula], facts, [*parts, *notes])


def _line(row: Row, of: str, i: int) -> Rows:
    line = np.empty((1, 1, row.classes))
    write = softmax_jacobian_lines if of == "softmax" else log_softmax_jacobian_lines
    write(row.logits[None, :], i, i + 1, temperature=row.T, out=line)
    return line.ravel()


def _matrix(row: Row, of: str) -> Step:
    ends = sorted({0, *row.likeliest, row.classes - 1})
    places = ends if row.classes > WHOLE else row.shown
    dS, S_i = ("dS_i", "S_i ") if of == "softmax" else ("d log S_i", "")
    formula = f"{dS}/da_j = {S_i}(delta_ij - S_j){row.over}"
    entries = [_line(row, of, i)[places].tolist() for i in places]
    names = [*map(row.name, places)]
    facts: dict[str, object] = {"classes": places, "entries": entries}
    parts = [
        "delta_ij is 1 where i = j, and 0 elsewhere: both cases in one line",
        matrix_grid(names, names, entries, row.digits.number),
        *row.left_out(places),
        "each row sums to 0: adding a constant to every logit changes nothing",
    ]
    return Step("jacobian", "The Jacobian", [formula], facts, parts)


def product_step(row: Row, of: str, product: str, vector: Rows) -> Step:
    """Return the step to the product of a vector and the matrix."""
    name, formula, sum_ = _PRODUCTS[of, product]
    result = np.empty((1, row.classes))
    pair = row.logits[None, :], vector[None, :]
    row_products(PRODUCTS[of, product], *pair, temperature=row.T, out=result)
    exact = EXACT.create_decimal_from_float
    factors = row.P if "S" in sum_ else np.ones(row.classes)
    terms = map(EXACT.multiply, map(exact, vector.tolist()), map(exact, factors.tolist()))
    total = float(reduce(EXACT.add, terms, Decimal(0)))
    notes = [f"{sum_} = {row.digits.number(total)}; the matrix is not needed"]
    size, rounding = np.abs(result[0]), 1e-15 * row.P * np.abs(vector).max() / row.T
    if ((size > 0) & (size < rounding)).any():
        notes.append("values below 1e-15 of S_j v_j are rounding errors of S: read them as 0")
    symbol = "v J" if product == "vjp" else "J v"
    return Step(
        product,
        f"The product {symbol}",
        [f"{name} = {formula.format(sum_)}{row.over}"],
        {**row.facts(vector=vector, product=result[0]), "sum": total},
        [*row.by_class({"v": vector, "S": row.P, symbol: result[0]}), *notes],
    )
