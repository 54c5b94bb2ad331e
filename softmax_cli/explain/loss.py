"""Derives the loss of a row, its gradient, and the loss of all rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.loss.distributions import entropies_and_divergences
from softmax_cli.core.loss.log_bases import BASES, UNITS
from softmax_cli.core.loss.row_losses import Kind, row_losses, row_losses_and_gradients
from softmax_cli.core.loss.weights import Weights
from softmax_cli.core.softmax.softmax import log_softmax
from softmax_cli.display.parts import Step
from softmax_cli.explain.rows import Digits, Row, Values
from softmax_cli.explain.softmax import softmax_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class LossRow(Row):
    """A row of values, what it is compared with, and its loss.

    kind     what the values are; T is 1 unless they are logits
    form     what they are compared with
    targets  (1,) a label or (1, classes) a distribution
    samples  (1,) the sample weight s, if there is one
    label    of one-hot targets
    loss     of the row, weighted and in the base; None if the row is ignored
    divided  whether distributions are divided by their sums
    p        (1, classes) p, of the kind of the values
    """

    kind: Kind
    form: Literal["labels", "targets", "distributions", "entries"]
    targets: NDArray[Any]
    weights: Weights
    samples: Rows | None
    label: int | None
    base: str
    loss: float | None
    divided: bool
    p: Rows | None

    @property
    def symbols(self) -> tuple[str, str, str, str, str]:
        """Y, P, s, w(k) and Y'(k) as formulas write them; "" for weights that are not given."""
        Y, P = ("p", "q") if self.form == "distributions" else ("Y", "P")
        s = "" if self.samples is None else "s "
        w = "" if self.weights.of_classes is None else "w(k) "
        return Y, P, s, w, f"{Y}'(k)" if self.weights.smoothing else f"{Y}(k)"

    @property
    def only_label(self) -> int | None:
        """The label, if the sum has no other term."""
        has_one_term = self.weights.of_classes is None and not self.weights.smoothing
        return self.label if has_one_term else None

    @cached_property
    def Y(self) -> Rows:  # noqa: N802
        """The targets as a distribution, (classes,)."""
        if self.targets.ndim == 1:
            return np.eye(1, self.classes, int(self.targets[0])).ravel()
        return wide(self.targets).ravel()

    @cached_property
    def logarithms(self) -> Rows:
        """The natural logarithms of the probabilities, (classes,)."""
        if self.kind == "logits":
            return wide(log_softmax(self.logits, temperature=self.T))
        if self.kind == "log-probabilities":
            return self.logits
        with np.errstate(divide="ignore"):
            return wide(np.log(self.logits))

    @cached_property
    def weighted(self) -> Rows:
        """The factors of the logarithms, (classes,): s w Y'."""
        w = 1.0 if self.weights.of_classes is None else self.weights.of_classes
        s = 1.0 if self.samples is None else self.samples[0]
        return wide(self.weights.smoothed(self.Y) * w * s)


def loss_steps(row: LossRow) -> list[Step]:
    """Return the steps to the loss of a row, and of logits on to its gradient."""
    if row.loss is None:
        notes = "its label is one of --ignore-label: the row adds nothing to any result"
        return [Step("ignored", "The row is ignored", parts=[notes])]
    of_p = [] if row.p is None else [_entropies(row, row.p, row.loss)]
    if row.kind == "logits":
        steps = softmax_steps(row)
        return [*steps, _loss(row, row.loss), *of_p, _gradient(row)] if row.has_softmax else steps
    if np.isnan(row.logits).any():
        return [row.no_result("no-loss", "The row has no loss: it contains NaN")]
    return [_loss(row, row.loss), *of_p]


def _loss(row: LossRow, loss: float) -> Step:
    Y, P, *_ = row.symbols
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.where(row.weighted == 0, 0.0, 0 - row.weighted * row.logarithms)
    columns: dict[str, Values] = {Y: row.Y}
    if row.weights.smoothing:
        columns[f"{Y}'"] = row.weights.smoothed(row.Y)
    if row.weights.of_classes is not None:
        columns["w"] = row.weights.of_classes
    if row.kind != "log-probabilities":
        columns[P] = row.P if row.kind == "logits" else row.logits
    columns |= {f"log {P}": row.logarithms, "term": terms}
    notes = []
    if row.p is not None and row.kind == "logits":
        notes.append("p is the softmax of its own logits, at the same temperature")
    if row.divided:
        names = [Y] * (row.targets.ndim == 2) + [P] * (row.kind == "probabilities")
        are = "is divided by its sum" if len(names) == 1 else "are divided by their sums"
        notes.append(f"{' and '.join(names)} {are} (--normalize)")
    if row.weights.masked and row.kind != "logits":
        notes.append(f"{P} is 0 for the classes in --mask-class; the rest is divided by its sum")
    if ((row.weighted == 0) & np.isneginf(row.logarithms)).any():
        notes.append("0 log 0 = 0: a weight of 0 adds nothing")
    facts = row.facts(targets=row.weighted, logarithms=row.logarithms, terms=terms)
    label = None if row.label is None else row.label + row.label_base
    facts |= {"label": label, "base": row.base, "loss": loss}
    title = "The loss" if row.only_label is None else "The loss: the sum collapses to one term"
    parts = [*row.by_class(columns), *notes, *_sum(row, loss)]
    return Step("loss", title, _formula(row), facts, parts)


def _formula(row: LossRow) -> list[str]:
    """Return the formula of the loss, and the weights in it."""
    number, weights, (Y, P, s, w, target) = row.digits.number, row.weights, row.symbols
    lines = [f"xent({Y}, {P}) = -sum_k {Y}(k) log {P}(k)"]
    if f"{s}{w}{target}" != f"{Y}(k)":
        lines.append(f"loss = -{s}sum_k {w}{target} log {P}(k)")
    if weights.smoothing:
        E, N = number(weights.smoothing), weights.classes - len(set(weights.masked))
        lines.append(f"{Y}'(k) = (1 - E) {Y}(k) + E / N,  E = {E}, N = {N}")
    if row.samples is not None:
        lines.append(f"s = {number(row.samples[0])} is the weight of the row")
    if weights.of_classes is not None:
        lines.append("w are the weights of the classes")
        in_mean = weights.of_rows(row.targets, row.samples)
        is_label = row.targets.ndim == 1
        of_label = f"{s}w({row.name(int(row.targets[0]))}) = " if is_label else ""
        weight = number(1.0 if in_mean is None else in_mean[0][0])
        lines.append(f"in a mean the row weighs {of_label}{weight}")
    return lines


def _sum(row: LossRow, loss: float) -> list[str]:
    """Return how the terms add up to the loss, and what naive evaluation prints."""
    number, base, label, P = row.digits.number, row.base, row.only_label, row.symbols[1]
    weights, kind, values = row.weights, row.kind, row.logits[None, :]
    in_nats = row_losses(
        values, row.targets, temperature=row.T, source=kind, weights=weights, samples=row.samples
    )[0]
    lines = []
    if label is not None:
        name = row.name(label)
        s = "" if row.samples is None else f"{number(row.samples[0])} * "
        log = f" = -{s}log {row.probability(label)}" if kind == "logits" else ""
        lines.append(f"one-hot: only the term of {name} is left: -{s}log {P}({name}){log}")
    lines.append(f"= {number(in_nats)} nats")
    if base != "e":
        lines.append(f"= {number(loss)} {UNITS[base]}, divided by log {base}")
    if kind == "logits" and label is not None and row.samples is None:
        gap = number(-row.shifted(label))
        rest = number(0 - row.logarithms[row.likeliest[0]])
        inner = "(a_k - m) / T" if row.over else "a_k - m"
        lines.append(f"computed as (m - a_label){row.over} + log sum_k exp({inner})")
        lines.append(f"  = {gap} + {rest}, where nothing cancels")
        with np.errstate(all="ignore"):
            naive = number(-np.log(row.naive[1][label]))
        if naive != number(in_nats):
            lines.append(f"naive evaluation in {row.naive[0].dtype} prints {naive}")
    return lines


def _gradient(row: LossRow) -> Step:
    base, unit, weight = row.base, BASES[row.base], "".join(row.symbols[2:])
    result = row.logits[None, :].copy()
    weights: dict[str, Any] = {"weights": row.weights, "samples": row.samples}
    row_losses_and_gradients(
        result, row.targets, temperature=row.T, base=unit, out=result, **weights
    )
    in_base = "" if base == "e" else f" / log {base}"
    over = f" / (T log {base})" if row.over and in_base else row.over + in_base
    W = "Y" if weight == "Y(k)" else "W"
    whole, plain = f"P_j sum_k {W}(k) - {W}(j)", "P - Y"
    if over:
        whole, plain = f"({whole}){over}", f"({plain}){over}"
    formula = [
        f"d xent/da_j = sum_k -{W}(k) / P_k dP_k/da_j{in_base}",
        f"  = sum_k -{W}(k) (delta_kj - P_j){over} = {whole}",
    ]
    heading = "d xent/da"
    if W == "W":
        formula.append(f"W, the weight of each logarithm, is {weight}")
    elif row.label is not None:
        formula.append(f"sum_k Y(k) = 1, which leaves {plain}")
        heading = plain
    notes = ["its entries sum to 0: adding a constant to every logit changes nothing"]
    if base != "e":
        notes.append(f"log {base} = {row.digits.number(math.log(unit))} makes {UNITS[base]} of it")
    if row.loss == math.inf:
        notes.append("the loss is infinite and has no derivative; --grad writes these values")
    notes.append("this is the gradient of one row's loss; --grad divides it as --reduction says")
    table = row.by_class({"P": row.P, W: row.weighted, heading: result[0]})
    facts = row.facts(gradient=result[0])
    return Step("gradient", "Its gradient", formula, facts, [*table, *notes])


def _entropies(row: LossRow, given: Rows, loss: float) -> Step:
    number, unit, (_, _, s, w, p) = row.digits.number, UNITS[row.base], row.symbols
    entropies = entropies_and_divergences(
        given,
        row.logits[None, :],
        base=BASES[row.base],
        weights=row.weights,
        samples=row.samples,
        source=row.kind,
        temperature=row.T,
    )
    entropy, divergence = (float(each[0]) for each in entropies)
    xent = "xent(p, q)" if f"{s}{w}{p}" == "p(k)" else "loss"
    least = "" if w else f": least where q is {p.removesuffix('(k)')}"
    return Step(
        "entropy",
        "The part that is the entropy of p",
        [f"H(p) = -{s}sum_k {w}{p} log {p}", f"KL(p||q) = {s}sum_k {w}{p} log ({p} / q(k))"],
        {"entropy": entropy, "kl_divergence": divergence},
        [
            f"H(p) = {number(entropy)} {unit}, KL(p||q) = {number(divergence)} {unit}",
            f"{xent} = H(p) + KL(p||q) = {number(loss)} {unit}{least}",
        ],
    )


def reduction_step(
    reduction: str, total: float, denominator: float, loss: float | None, digits: Digits, base: str
) -> Step:
    """Return the step from the losses of the rows, with their sum, to the loss of all."""
    facts = {"reduction": reduction, "sum": total, "denominator": denominator, "loss": loss}
    if loss is None:
        parts = ["with --reduction none each row keeps its own loss"]
        return Step("reduction", "All rows", (), facts, parts)
    weights = "divided by the sum of the weights of the rows used, 1 where none are given"
    over, notes = {
        "sum": ("", []),
        "mean": (" / sum_i weight_i", [weights]),
        "batch-mean": (" / n", ["divided by the number n of the rows used"]),
    }[reduction]
    quotient = f"{digits.number(total)} / {digits.number(denominator)} = " if over else ""
    parts = [f"= {quotient}{digits.number(loss)} {UNITS[base]}", *notes]
    return Step("reduction", "All rows", [f"loss = sum_i loss_i{over}"], facts, parts)
