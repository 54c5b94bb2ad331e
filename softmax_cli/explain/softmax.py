"""Derives the probabilities of a row."""

from __future__ import annotations

import numpy as np

from softmax_cli.core.softmax.softmax import log_softmax, write_log_probabilities
from softmax_cli.display.parts import Part
from softmax_cli.display.steps import Step
from softmax_cli.explain.row import EXACT, Row, Values

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
    table = row.by_class([("a_j", row.logits)])
    return [row.no_result("no-softmax", f"The row has no softmax: {why}", table)]


def _formula(row: Row) -> Step:
    over = row.over
    notes = [f"a are the logits of {_classes(row.classes)}"]
    if over:
        notes[0] += f", T = {row.digits.number(row.T)} is the temperature"
    asked = len(set(row.masked))
    own = int(np.isneginf(row.logits).sum()) - asked
    for count, why in (
        (own, "masked: the logit is -inf, and exp(-inf) = 0"),
        (asked, "masked by --mask-class: the logit becomes -inf, and exp(-inf) = 0"),
    ):
        if count:
            notes.append(f"{_classes(count)} {'is' if count == 1 else 'are'} {why}")
    formula = [f"S_j = exp(a_j{over}) / sum_k exp(a_k{over})"]
    facts = {"temperature": row.T, **row.facts(logits=row.logits)}
    return row.step("formula", "The formula", formula, facts, notes)


def _classes(count: int) -> str:
    return "1 class" if count == 1 else f"{count} classes"


def _exponentials(row: Row) -> Step:
    digits, over = row.digits, row.over
    columns: list[tuple[str, Values]] = [("a_i", row.logits)]
    if over:
        columns.append(("a_i / T", row.over_temperature))
    columns.append((f"g_i = exp(a_i{over})", lambda i: digits.power(row.over_temperature(i))))
    notes, naive = _naive(row)
    parts = [*row.by_class(columns), f"h = {digits.power(row.log_sum)}", notes]
    facts = {
        **row.facts(exponentials=lambda i: EXACT.exp(row.over_temperature(i))),
        "sum": float(EXACT.exp(row.log_sum)),
        "log_sum": float(row.log_sum),
        "naive": naive,
    }
    formula = [f"g_i = exp(a_i{over}),  h = sum_k exp(a_k{over}) = sum_k g_k,  S_i = g_i / h"]
    return row.step("exponentials", "The exponentials, and their sum", formula, facts, parts)


def _naive(row: Row) -> tuple[str, dict[str, object]]:
    """Return what g / h is when evaluated without a shift, as a line and as facts."""
    number, dtype = row.digits.number, row.naive_dtype
    g, S = row.naive
    limits = np.finfo(dtype)
    with np.errstate(over="ignore"):
        overflows, vanishes = bool(np.isinf(g.sum())), not g.any()
    right = row.P.astype(dtype)
    wrong = row.misprinted(S, right)
    printed = ", ".join(map(number, S[row.shown]))
    if overflows:
        largest = number(np.log(np.float64(limits.max)))
        what = f"exp overflows in {dtype} above {largest}"
        if not np.isinf(g).any():
            what = f"the sum overflows in {dtype}"
        notes = f"{what}: naive evaluation gets inf, and prints {printed}"
    elif vanishes:
        least = number(np.log(np.float64(limits.smallest_subnormal)) - np.log(2))
        what = f"exp underflows in {dtype} below {least}"
        notes = f"{what}: naive evaluation divides 0 by 0, and prints {printed}"
    elif not wrong:
        notes = f"nothing overflows in {dtype}, and naive evaluation prints the right digits"
    else:
        j = wrong[0]
        notes = (
            f"nothing overflows in {dtype}; naive evaluation rounds: it prints {number(S[j])} "
            f"for class {row.name(j)}, not {number(right[j])}{_and_more(wrong)}"
        )
    return notes, {
        "dtype": str(dtype),
        "overflows": overflows,
        "underflows": vanishes,
        "agrees": not wrong,
        "probabilities": [float(S[j]) for j in row.listed],
    }


def _and_more(wrong: list[int]) -> str:
    return f", and is wrong for {len(wrong) - 1} more" if wrong[1:] else ""


def _shift(row: Row) -> Step:
    digits, over = row.digits, row.over
    of_m, distance = f"exp(-m{over})", "(a_i - m) / T" if over else "a_i - m"
    formula = [
        f"exp({distance}) / sum_k exp({distance.replace('_i', '_k')})",
        f"  = {of_m} g_i / ({of_m} h) = g_i / h",
    ]
    columns: list[tuple[str, Values]] = [
        (distance, row.shifted),
        (f"exp({distance})", lambda i: digits.power(row.shifted(i))),
    ]
    m, total = digits.number(row.maximum), digits.number(row.shifted_sum)
    parts = [
        f"m = {m}, the largest logit, is subtracted from each; {of_m} cancels",
        *row.by_class(columns),
        f"their sum is {total}: its largest term is 1, so nothing overflows",
    ]
    exponentials = row.facts(exponentials=lambda i: EXACT.exp(row.shifted(i)))
    facts = {"maximum": float(row.maximum), **exponentials, "sum": row.shifted_sum}
    title = "Why the shift by the maximum changes nothing"
    return row.step("shift", title, formula, facts, parts)


def _probabilities(row: Row) -> Step:
    parts = [*row.by_class([("S_j", row.P)], has_bars=True), "they sum to 1"]
    facts = row.facts(probabilities=row.P)
    return row.step("probabilities", "The probabilities", ["S_j = g_j / h"], facts, parts)


def log_step(row: Row, base: str, unit: float) -> Step:
    """Return the step from probabilities to their logarithms to a base."""
    number = row.digits.number
    values = np.empty((1, row.classes))
    write_log_probabilities(row.logits[None, :], row.T, values, unit)
    in_nats = log_softmax(row.logits, temperature=row.T)
    distance, inner = ("(a_j - m) / T", "(a_k - m) / T") if row.over else ("(a_j - m)", "a_k - m")
    formula = [f"log S_j = {distance} - log sum_k exp({inner})"]
    columns: list[tuple[str, Values]] = [("log S_j", in_nats)]
    if base != "e":
        formula.append(f"log{base} S_j = log S_j / log {base}")
        columns.append((f"log{base} S_j", values[0]))
    with np.errstate(all="ignore"):
        logarithms = np.log(row.naive[1].astype(np.float64))
    parts: list[Part | str] = [*row.by_class(columns)]
    if wrong := row.misprinted(logarithms, in_nats):
        parts.append(
            f"the naive logarithm of the naive probability is {number(logarithms[wrong[0]])} "
            f"for class {row.name(wrong[0])}{_and_more(wrong)}"
        )
    facts = row.facts(log_probabilities=values[0])
    return row.step("log-probabilities", "The log-probabilities", formula, facts, parts)


def top_step(row: Row, k: int) -> Step:
    """Return the step to the K likeliest classes."""
    order = np.argsort(-row.logits, kind="stable")[:k].tolist()
    notes = [f"{row.name(j)} with {row.digits.number(row.P[j])}" for j in order[:_NAMED_CLASSES]]
    if more := order[_NAMED_CLASSES:]:
        notes.append(f"and {len(more)} more")
    facts = {"classes": order, "probabilities": [float(row.P[j]) for j in order]}
    title = f"The {k} likeliest classes; ties go to the first" if k > 1 else "The likeliest class"
    return row.step("top-k", title, (), facts, ["; ".join(notes)])


def derivative_pointer(row: Row) -> Step:
    """Return the step that names the derivative and the command that derives it."""
    formula = [f"dS_i/da_j = S_i (delta_ij - S_j){row.over}"]
    notes = "softmax-cli jacobian with the same arguments and --explain derives it"
    return row.step("derivative", "Its derivative", formula, None, [notes])
