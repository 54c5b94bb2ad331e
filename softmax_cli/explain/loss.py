"""Derives the loss of a row, its gradient, and the loss of all rows."""

from __future__ import annotations

import math

import numpy as np

from softmax_cli.core.loss.distributions import entropies_and_divergences
from softmax_cli.core.loss.log_bases import UNITS
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.display.parts import Line
from softmax_cli.display.steps import Step
from softmax_cli.explain.loss_row import LossRow
from softmax_cli.explain.row import Digits, Values
from softmax_cli.explain.softmax import softmax_steps


def loss_steps(each: LossRow) -> list[Step]:
    """Return the steps to the loss of a row, and of logits on to its gradient."""
    row = each.row
    if each.loss is None:
        notes = "its label is one of --ignore-label: the row adds nothing to any result"
        return [row.step("ignored", "The row is ignored", parts=[notes])]
    if each.kind == "logits":
        steps = softmax_steps(row)
        return [*steps, _loss(each), _gradient(each)] if row.has_softmax else steps
    if np.isnan(row.logits).any():
        return [row.no_result("no-loss", "The row has no loss: it contains NaN")]
    return [_loss(each), *([_entropies(each)] if each.form == "distributions" else [])]


def _loss(each: LossRow) -> Step:
    row, (Y, P) = each.row, each.symbols
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.where(each.weighted == 0, 0.0, 0 - each.weighted * each.logarithms)
    columns: list[tuple[str, Values]] = [(Y, each.Y)]
    if each.weights.smoothing:
        columns.append((f"{Y}'", each.smoothed))
    if each.weights.of_classes is not None:
        columns.append(("w", each.weights.of_classes))
    if each.kind != "log-probabilities":
        columns.append((P, row.P if each.kind == "logits" else row.logits))
    columns += [(f"log {P}", each.logarithms), ("term", terms)]
    notes = []
    if each.divided:
        names = [Y] * (each.targets.ndim == 2) + [P] * (each.kind == "probabilities")
        are = "is divided by its sum" if len(names) == 1 else "are divided by their sums"
        notes.append(f"{' and '.join(names)} {are} (--normalize)")
    if each.weights.masked and each.kind != "logits":
        notes.append(f"{P} is 0 for the classes in --mask-class; the rest is divided by its sum")
    if ((each.weighted == 0) & np.isneginf(each.logarithms)).any():
        notes.append("0 log 0 = 0: a weight of 0 adds nothing")
    facts = {
        **row.facts(targets=each.weighted, logarithms=each.logarithms, terms=terms),
        "label": each.label,
        "base": each.base[0],
        "loss": each.loss,
    }
    title = "The loss: the sum collapses to one term" if each.is_one_term else "The loss"
    parts = [*row.by_class(columns), *notes, *_sum(each)]
    return row.step("loss", title, _formula(each), facts, parts)


def _formula(each: LossRow) -> list[str]:
    """Return the formula of the loss, and the weights in it."""
    number, weights, (Y, P) = each.row.digits.number, each.weights, each.symbols
    lines = [f"xent({Y}, {P}) = -sum_k {Y}(k) log {P}(k)"]
    if not each.is_plain:
        lines.append(f"loss = -{each.s}sum_k {each.w}{each.target} log {P}(k)")
    if weights.smoothing:
        E, N = number(weights.smoothing), weights.classes - len(set(weights.masked))
        lines.append(f"{Y}'(k) = (1 - E) {Y}(k) + E / N,  E = {E}, N = {N}")
    if each.samples is not None:
        lines.append(f"s = {number(each.samples[0])} is the weight of the row")
    if weights.of_classes is not None:
        lines.append("w are the weights of the classes")
        in_mean = weights.of_rows(each.targets, each.samples)
        labels = each.targets if each.targets.ndim == 1 else ()
        of_label = "".join(f"{each.s}w({each.row.name(int(label))}) = " for label in labels)
        in_mean_text = number(1.0 if in_mean is None else in_mean[0][0])
        lines.append(f"in a mean the row weighs {of_label}{in_mean_text}")
    return lines


def _sum(each: LossRow) -> list[str]:
    """Return how the terms add up to the loss, and what naive evaluation prints."""
    row, number, base, label = each.row, each.row.digits.number, each.base[0], each.label
    assert each.loss is not None
    loss = row_losses(
        row.logits[None, :],
        each.targets,
        temperature=row.T,
        source=each.kind,
        base=math.e,
        weights=each.weights,
        samples=each.samples,
    )
    in_nats = number(loss[0])
    lines = []
    if label is not None and each.is_one_term:
        P, name = each.symbols[1], row.name(label)
        s = "" if each.samples is None else f"{number(each.samples[0])} * "
        log = f" = -{s}log {row.probability(label)}" if each.kind == "logits" else ""
        lines.append(f"one-hot: only the term of {name} is left: -{s}log {P}({name}){log}")
    lines.append(f"= {in_nats} nats")
    if base != "e":
        lines.append(f"= {number(each.loss)} {UNITS[base]}, divided by log {base}")
    if each.kind == "logits" and label is not None and each.is_plain:
        gap = number(-row.shifted(label))
        rest = number(0 - each.logarithms[row.likeliest[0]])
        inner = "(a_k - m) / T" if row.over else "a_k - m"
        lines.append(f"computed as (m - a_label){row.over} + log sum_k exp({inner})")
        lines.append(f"  = {gap} + {rest}, where nothing cancels")
        with np.errstate(all="ignore"):
            naive = number(-np.log(row.naive[1][label]))
        if naive != in_nats:
            lines.append(f"naive evaluation in {row.naive_dtype} prints {naive}")
    return lines


def _gradient(each: LossRow) -> Step:
    row, (base, unit) = each.row, each.base
    result = np.empty((1, row.classes))
    row_losses_and_gradients(
        row.logits[None, :].copy(),
        each.targets,
        temperature=row.T,
        base=unit,
        out=result,
        weights=each.weights,
        samples=each.samples,
    )
    in_base = "" if base == "e" else f" / log {base}"
    over = f" / (T log {base})" if row.over and in_base else row.over + in_base
    W = "Y" if each.is_plain else "W"
    whole, plain = f"P_j sum_k {W}(k) - {W}(j)", "P - Y"
    if over:
        whole, plain = f"({whole}){over}", f"({plain}){over}"
    formula = [
        f"d xent/da_j = sum_k -{W}(k) / P_k dP_k/da_j{in_base}",
        f"  = sum_k -{W}(k) (delta_kj - P_j){over} = {whole}",
    ]
    heading = "d xent/da"
    if not each.is_plain:
        weight = f"{each.s}{each.w}{each.target}"
        formula.append(f"W, the weight of each logarithm, is {weight}")
    elif each.label is not None:
        formula.append(f"sum_k Y(k) = 1, which leaves {plain}")
        heading = plain
    parts = row.by_class([("P", row.P), (W, each.weighted), (heading, result[0])])
    notes = ["its entries sum to 0: adding a constant to every logit changes nothing"]
    if base != "e":
        notes.append(f"log {base} = {row.digits.number(math.log(unit))} makes {UNITS[base]} of it")
    if each.loss == math.inf:
        notes.append("the loss is infinite and has no derivative; --grad writes these values")
    notes.append("this is the gradient of one row's loss; --grad divides it as --reduction says")
    facts = row.facts(gradient=result[0])
    return row.step("gradient", "Its gradient", formula, facts, [*parts, *notes])


def _entropies(each: LossRow) -> Step:
    row, number, (base_name, base) = each.row, each.row.digits.number, each.base
    assert each.loss is not None
    entropies, divergences = entropies_and_divergences(
        each.targets, row.logits[None, :], base=base, weights=each.weights, samples=each.samples
    )
    entropy, divergence = float(entropies[0]), float(divergences[0])
    p, factors, unit = each.target, f"sum_k {each.w}{each.target}", UNITS[base_name]
    formula = [
        f"H(p) = -{each.s}{factors} log {p}",
        f"KL(p||q) = {each.s}{factors} log ({p} / q(k))",
    ]
    xent = "xent(p, q)" if each.is_plain else "loss"
    least = "" if each.w else f": least where q is {p.removesuffix('(k)')}"
    notes = [
        f"H(p) = {number(entropy)} {unit}, KL(p||q) = {number(divergence)} {unit}",
        f"{xent} = H(p) + KL(p||q) = {number(each.loss)} {unit}{least}",
    ]
    facts: dict[str, object] = {"entropy": entropy, "kl_divergence": divergence}
    return row.step("entropy", "The part that is the entropy of p", formula, facts, notes)


def reduction_step(
    reduction: str, total: float, denominator: float, loss: float | None, digits: Digits, base: str
) -> Step:
    """Return the step from the losses of the rows, with their sum, to the loss of all."""
    facts = {"reduction": reduction, "sum": total, "denominator": denominator, "loss": loss}
    if loss is None:
        notes = "with --reduction none each row keeps its own loss"
        return Step("reduction", "All rows", (), facts, [Line(notes)])
    quotient, over, lines = f"{digits.number(total)} / {digits.number(denominator)} = ", "", []
    if reduction == "sum":
        quotient = ""
    elif reduction == "mean":
        over = " / sum_i weight_i"
        lines = ["divided by the sum of the weights of the rows used, 1 where none are given"]
    else:
        over, lines = " / n", ["divided by the number n of the rows used"]
    lines = [f"= {quotient}{digits.number(loss)} {UNITS[base]}", *lines]
    return Step("reduction", "All rows", [f"loss = sum_i loss_i{over}"], facts, [*map(Line, lines)])
