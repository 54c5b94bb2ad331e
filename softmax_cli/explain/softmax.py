"""How the probabilities of a row come about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from softmax_cli.core.softmax.softmax import log_softmax, write_log_probabilities
from softmax_cli.display.parts import Line, Part
from softmax_cli.display.steps import Step
from softmax_cli.explain.row import EXACT, Row


def softmax_steps(row: Row) -> list[Step]:
    """Return the formula, the exponentials, the shift by the maximum and the probabilities."""
    if not row.has_softmax:
        return [no_softmax(row)]
    return [_formula(row), _exponentials(row), _shift(row), _probabilities(row)]


def no_softmax(row: Row) -> Step:
    """Return the step of a row that has no softmax."""
    if np.isnan(row.logits).any():
        why = "a NaN is no number, and exp(NaN) / h is none"
    elif np.isposinf(row.logits).any():
        why = "a logit is +inf, and inf / inf is no number"
    else:
        why = "every entry is -inf, so that all exponentials are 0, and 0 / 0 is no number"
    parts = (*row.by_class([("a_j", _logit(row))]), row.instead())
    return Step("no-softmax", f"The row has no softmax: {why}", (), {}, parts, row.number)


def _over(row: Row) -> str:
    return "" if row.T == 1 else " / T"


def _logit(row: Row) -> Callable[[int], str]:
    return lambda j: row.digits.number(float(row.logits[j]))


def _formula(row: Row) -> Step:
    over = _over(row)
    formula = [f"S_j = exp(a_j{over}) / sum_k exp(a_k{over})"]
    classes = "1 class" if row.classes == 1 else f"{row.classes} classes"
    said = f"a are the logits of {classes}"
    if over:
        said += f", T = {row.digits.number(row.T)} is the temperature"
    parts = [Line(said), *_masked(row)]
    facts = {"temperature": row.T, **row.facts(logits=lambda j: row.logits[j])}
    return Step("formula", "The formula", formula, facts, parts, row.number)


def _masked(row: Row) -> list[Part]:
    asked = len(set(row.masked))
    own = int(np.isneginf(row.logits).sum()) - asked
    whys = (
        (own, "masked: the logit is -inf, and exp(-inf) = 0"),
        (asked, "masked by --mask-class: -inf stands for the logit, and exp(-inf) = 0"),
    )
    return [
        Line(f"{'1 class is' if count == 1 else f'{count} classes are'} {why}")
        for count, why in whys
        if count
    ]


def _exponentials(row: Row) -> Step:
    digits, over = row.digits, _over(row)
    columns = [("a_i", _logit(row))]
    if over:
        columns.append(("a_i / T", lambda i: digits.number(row.over_temperature(i))))
    columns.append((f"g_i = exp(a_i{over})", lambda i: digits.power(row.over_temperature(i))))
    naive, facts = _naive(row)
    parts = [*row.by_class(columns), Line(f"h = {digits.power(row.log_sum)}"), *naive]
    told = row.facts(exponentials=lambda i: EXACT.exp(row.over_temperature(i)))
    sums = {"sum": float(EXACT.exp(row.log_sum)), "log_sum": float(row.log_sum)}
    facts = {**told, **sums, "naive": facts}
    formula = [f"g_i = exp(a_i{over}),  h = sum_k exp(a_k{over}) = sum_k g_k,  S_i = g_i / h"]
    title = "The exponentials, and their sum"
    return Step("exponentials", title, formula, facts, parts, row.number)


def _naive(row: Row) -> tuple[list[Part], dict[str, object]]:
    """Return what g / h comes to where it is evaluated as it stands."""
    digits, dtype = row.digits, row.naive_dtype
    g, S = row.naive
    limits = np.finfo(dtype)
    with np.errstate(over="ignore"):
        overflows, vanishes = bool(np.isinf(g.sum())), not g.any()
    right = row.P.astype(dtype)
    differ = [j for j in row.told if digits.number(float(S[j])) != digits.number(float(right[j]))]
    printed = digits.numbers(S[row.shown])
    if overflows:
        largest = digits.number(float(np.log(np.float64(limits.max))))
        if np.isinf(g).any():
            told = f"exp overflows in {dtype} above {largest}: naive evaluation takes it for inf"
        else:
            told = f"the sum overflows in {dtype}: naive evaluation takes it for inf"
        said = f"{told}, and prints {printed}"
    elif vanishes:
        least = digits.number(float(np.log(np.float64(limits.smallest_subnormal)) - np.log(2)))
        told = f"exp underflows in {dtype} below {least}: naive evaluation divides 0 by 0"
        said = f"{told}, and prints {printed}"
    elif not differ:
        said = f"nothing overflows in {dtype}, and naive evaluation prints the right digits"
    else:
        j = next((j for j in row.shown if j in differ), differ[0])
        wrong, due = digits.number(float(S[j])), digits.number(float(right[j]))
        said = (
            f"nothing overflows in {dtype}; naive evaluation rounds: it prints {wrong} "
            f"for class {row.name(j)}, not {due}{_and_more(len(differ) - 1)}"
        )
    facts = {
        "dtype": str(dtype),
        "overflows": overflows,
        "underflows": vanishes,
        "agrees": not differ,
        "probabilities": [float(S[j]) for j in row.told],
    }
    return [Line(said)], facts


def _and_more(count: int) -> str:
    return f", and is wrong for {count} more" if count else ""


def _shift(row: Row) -> Step:
    digits, over = row.digits, _over(row)
    m = digits.number(row.maximum)
    distance = "a_i - m" if not over else "(a_i - m) / T"
    of_m = "exp(-m)" if not over else "exp(-m / T)"
    formula = [
        f"exp({distance}) / sum_k exp({distance.replace('_i', '_k')})",
        f"  = {of_m} g_i / ({of_m} h) = g_i / h",
    ]
    columns = [
        (distance, lambda i: digits.number(row.shifted(i))),
        (f"exp({distance})", lambda i: digits.power(row.shifted(i))),
    ]
    total = digits.number(row.shifted_sum)
    said = [
        f"m = {m}, the largest logit, is taken from each; {of_m} cancels",
        *row.by_class(columns),
        f"their sum is {total}: its largest term is 1, so nothing overflows",
    ]
    parts = [Line(part) if isinstance(part, str) else part for part in said]
    told = row.facts(exponentials=lambda i: EXACT.exp(row.shifted(i)))
    facts = {"maximum": float(row.maximum), **told, "sum": row.shifted_sum}
    title = "Why the shift by the maximum changes nothing"
    return Step("shift", title, formula, facts, parts, row.number)


def _probabilities(row: Row) -> Step:
    parts = row.by_class([("S_j", lambda j: row.digits.number(row.P[j]))], row.P)
    parts.append(Line("they sum to 1"))
    facts = row.facts(probabilities=lambda j: row.P[j])
    formula = ["S_j = g_j / h"]
    return Step("probabilities", "The probabilities", formula, facts, parts, row.number)


def log_step(row: Row, base: str, unit: float) -> Step:
    """Return the step from probabilities to their logarithms to a base."""
    digits, over = row.digits, _over(row)
    values = np.empty((1, row.classes))
    write_log_probabilities(row.logits[None, :], row.T, values, unit)
    in_nats = log_softmax(row.logits, temperature=row.T)
    distance = "(a_j - m)" if not over else "(a_j - m) / T"
    inner = distance.removeprefix("(").removesuffix(")").replace("_j", "_k")
    formula = [f"log S_j = {distance} - log sum_k exp({inner})"]
    columns = [("log S_j", lambda j: digits.number(float(in_nats[j])))]
    said = ""
    if base != "e":
        formula.append(f"log{base} S_j = log S_j / log {base}")
        columns.append((f"log{base} S_j", lambda j: digits.number(values[0, j])))
    with np.errstate(all="ignore"):
        logarithms = np.log(row.naive[1].astype(np.float64))
    wrong = [j for j in row.told if digits.number(logarithms[j]) != digits.number(in_nats[j])]
    if wrong:
        j = next((j for j in row.shown if j in wrong), wrong[0])
        said = (
            f"the naive logarithm of the naive probability is {digits.number(logarithms[j])} "
            f"for class {row.name(j)}{_and_more(len(wrong) - 1)}"
        )
    parts = [*row.by_class(columns), *([Line(said)] if said else [])]
    facts = row.facts(log_probabilities=lambda j: values[0, j])
    title = "The log-probabilities"
    return Step("log-probabilities", title, formula, facts, parts, row.number)


def top_step(row: Row, k: int) -> Step:
    """Return the step to the K likeliest classes."""
    order = np.argsort(-row.logits, kind="stable")[:k].tolist()
    listed = [f"{row.name(j)} with {row.digits.number(row.P[j])}" for j in order[:AT_MOST_NAMED]]
    more = len(order) - len(listed)
    said = "; ".join(listed) + (f"; and {more} more" if more else "")
    facts: dict[str, object] = {
        "classes": order,
        "probabilities": [float(row.P[j]) for j in order],
    }
    title = f"The {k} likeliest, of equal logits the first" if k > 1 else "The likeliest class"
    return Step("top-k", title, (), facts, [Line(said)], row.number)


AT_MOST_NAMED = 12


def derivative_pointer(row: Row) -> Step:
    """Return where to read on."""
    over = _over(row)
    formula = [f"dS_i/da_j = S_i (delta_ij - S_j){over}"]
    said = "softmax-cli jacobian, given the same with --explain, derives it"
    return Step("derivative", "Its derivative", formula, {}, [Line(said)], row.number)
