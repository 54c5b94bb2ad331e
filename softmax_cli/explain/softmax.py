"""Derives the probabilities of a row."""

from __future__ import annotations

import numpy as np

from softmax_cli.core.softmax.softmax import log_softmax, write_log_probabilities
from softmax_cli.display.parts import MARK, Step
from softmax_cli.explain.rows import EXACT, Row, Values

_NAMED_CLASSES = 12


def softmax_steps(row: Row) -> list[Step]:
    """Return the formula, the exponentials, the shift by the maximum and the probabilities."""
    if row.has_softmax:
        return [_formula(row), _exponentials(row), _shift(row), _probabilities(row)]
    why = "every logit is -inf, and 0 / 0 is undefined"
    if np.isnan(row.logits).any():
        why = "it contains NaN"
    elif np.isposinf(row.logits).any():
        why = "a logit is +inf, and inf / inf is undefined"
    table = row.by_class({"a_j": row.logits})
    return [row.no_result("no-softmax", f"The row has no softmax: {why}", table)]


def _formula(row: Row) -> Step:
    notes = [f"a are the logits of {_classes(row.classes)}"]
    if row.over:
        notes[0] += f", T = {row.digits.number(row.T)} is the temperature"
    asked = len(set(row.masked))
    for count, why in (
        (np.isneginf(row.logits).sum() - asked, "masked: the logit is -inf, and exp(-inf) = 0"),
        (asked, "masked by --mask-class: the logit becomes -inf, and exp(-inf) = 0"),
    ):
        if count:
            notes.append(f"{_classes(count)} {'is' if count == 1 else 'are'} {why}")
    formula = [f"S_j = exp(a_j{row.over}) / sum_k exp(a_k{row.over})"]
    facts = {"temperature": row.T, **row.facts(logits=row.logits)}
    return Step("formula", "The formula", formula, facts, notes)


def _classes(count: int) -> str:
    return "1 class" if count == 1 else f"{count} classes"


def _exponentials(row: Row) -> Step:
    digits, over, exponent = row.digits, row.over, row.over_temperature
    columns: dict[str, Values] = {"a_i": row.logits}
    if over:
        columns["a_i / T"] = exponent
    columns[f"g_i = exp(a_i{over})"] = lambda i: digits.power(exponent(i))
    notes, naive = _naive(row)
    log_sum, facts = row.log_sum, row.facts(exponentials=lambda i: EXACT.exp(exponent(i)))
    facts |= {"sum": float(EXACT.exp(log_sum)), "log_sum": float(log_sum), "naive": naive}
    formula = [f"g_i = exp(a_i{over}),  h = sum_k exp(a_k{over}) = sum_k g_k,  S_i = g_i / h"]
    parts = [*row.by_class(columns), f"h = {digits.power(log_sum)}", notes]
    return Step("exponentials", "The exponentials, and their sum", formula, facts, parts)


def _naive(row: Row) -> tuple[str, dict[str, object]]:
    """Return what g / h is when evaluated without a shift, as a line and as facts."""
    number, (g, S) = row.digits.number, row.naive
    dtype, limits, right = g.dtype, np.finfo(g.dtype), row.P.astype(g.dtype)
    with np.errstate(over="ignore"):
        overflows, vanishes = bool(np.isinf(g.sum())), not g.any()
    wrong, printed = row.misprinted(S, right), ", ".join(map(number, S[row.shown]))
    if overflows:
        note = f"exp overflows in {dtype} above {number(np.log(np.float64(limits.max)))}"
        if not np.isinf(g).any():
            note = f"the sum overflows in {dtype}"
        note += f": naive evaluation gets inf, and prints {printed}"
    elif vanishes:
        least = number(np.log(np.float64(limits.smallest_subnormal)) - np.log(2))
        note = f"exp underflows in {dtype} below {least}"
        note += f": naive evaluation divides 0 by 0, and prints {printed}"
    elif not wrong:
        note = f"nothing overflows in {dtype}, and naive evaluation prints the right digits"
    else:
        note = f"nothing overflows in {dtype}; naive evaluation rounds: it prints "
        j = wrong[0]
        note += f"{number(S[j])} for class {row.name(j)}, not {number(right[j])}{_and_more(wrong)}"
    facts = {"dtype": str(dtype), "overflows": overflows, "underflows": vanishes}
    return note, {**facts, "agrees": not wrong, "probabilities": S[row.listed].tolist()}


def _and_more(wrong: list[int]) -> str:
    return f", and is wrong for {len(wrong) - 1} more" if wrong[1:] else ""


def _shift(row: Row) -> Step:
    digits, over, m = row.digits, row.over, float(row.logits.max())
    of_m, distance = f"exp(-m{over})", "(a_i - m) / T" if over else "a_i - m"
    formula = [
        f"exp({distance}) / sum_k exp({distance.replace('_i', '_k')})",
        f"  = {of_m} g_i / ({of_m} h) = g_i / h",
    ]
    exponentials = row.facts(exponentials=lambda i: EXACT.exp(row.shifted(i)))
    total = 1 / float(row.P[row.likeliest[0]])
    facts = {"maximum": m, **exponentials, "sum": total}
    columns: dict[str, Values] = {distance: row.shifted}
    columns[f"exp({distance})"] = lambda i: digits.power(row.shifted(i))
    parts = [
        f"m = {digits.number(m)}, the largest logit, is subtracted from each; {of_m} cancels",
        *row.by_class(columns),
        f"their sum is {digits.number(total)}: its largest term is 1, so nothing overflows",
    ]
    title = "Why the shift by the maximum changes nothing"
    return Step("shift", title, formula, facts, parts)


def _probabilities(row: Row) -> Step:
    number, P, top = row.digits.number, row.P, row.likeliest[0]
    table = row.by_class({"S_j": lambda j: MARK[j == top] + number(P[j])}, has_bars=True)
    facts, parts = row.facts(probabilities=P), [*table, "they sum to 1"]
    return Step("probabilities", "The probabilities", ["S_j = g_j / h"], facts, parts)


def log_step(row: Row, base: str, unit: float) -> Step:
    """Return the step from probabilities to their logarithms to a base."""
    values = np.empty((1, row.classes))
    write_log_probabilities(row.logits[None, :], row.T, values, unit)
    in_nats = log_softmax(row.logits, temperature=row.T)
    distance, inner = ("(a_j - m) / T", "(a_k - m) / T") if row.over else ("(a_j - m)", "a_k - m")
    formula = [f"log S_j = {distance} - log sum_k exp({inner})"]
    columns: dict[str, Values] = {"log S_j": in_nats}
    if base != "e":
        formula.append(f"log{base} S_j = log S_j / log {base}")
        columns[f"log{base} S_j"] = values[0]
    with np.errstate(all="ignore"):
        logarithms = np.log(row.naive[1].astype(np.float64))
    notes = []
    if wrong := row.misprinted(logarithms, in_nats):
        naive = f"{row.digits.number(logarithms[wrong[0]])} for class {row.name(wrong[0])}"
        notes = [f"the naive logarithm of the naive probability is {naive}{_and_more(wrong)}"]
    parts, facts = [*row.by_class(columns), *notes], row.facts(log_probabilities=values[0])
    return Step("log-probabilities", "The log-probabilities", formula, facts, parts)


def top_step(row: Row, k: int) -> Step:
    """Return the step to the K likeliest classes."""
    order = np.argsort(-row.logits, kind="stable")[:k].tolist()
    notes = [f"{row.name(j)} with {row.digits.number(row.P[j])}" for j in order[:_NAMED_CLASSES]]
    if more := order[_NAMED_CLASSES:]:
        notes.append(f"and {len(more)} more")
    facts = {"classes": order, "probabilities": row.P[order].tolist()}
    title = f"The {k} likeliest classes; ties go to the first" if k > 1 else "The likeliest class"
    return Step("top-k", title, (), facts, ["; ".join(notes)])


def derivative_pointer(row: Row) -> Step:
    """Return the step that names the derivative and the command that derives it."""
    formula = [f"dS_i/da_j = S_i (delta_ij - S_j){row.over}"]
    notes = "softmax-cli jacobian with the same arguments and --explain derives it"
    return Step("derivative", "Its derivative", formula, parts=[notes])
