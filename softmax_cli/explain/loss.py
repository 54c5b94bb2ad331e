"""How the loss of a row and its gradient come about, and how losses are put together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.loss.distributions import entropies_and_divergences
from softmax_cli.core.loss.log_bases import UNITS
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.display.parts import Line, Part
from softmax_cli.display.steps import Step
from softmax_cli.explain.loss_row import LossRow
from softmax_cli.explain.row import Row
from softmax_cli.explain.softmax import no_softmax, softmax_steps


def loss_steps(each: LossRow) -> list[Step]:
    """Return the steps to the loss of a row, and of logits on to its gradient."""
    row = each.row
    if each.loss is None:
        said = Line("its label is one of --ignore-label: it counts nowhere, whatever it holds")
        return [Step("ignored", "The row is ignored", parts=[said], row=row.number)]
    if each.kind == "logits":
        if not row.has_softmax:
            return [no_softmax(row)]
        return [*softmax_steps(row), _loss(each), _gradient(each)]
    if np.isnan(row.logits).any():
        title = "The row has no loss: a NaN is no number"
        return [Step("no-loss", title, parts=[row.instead()], row=row.number)]
    return [_loss(each), *([_entropies(each)] if each.form == "distributions" else [])]


def _names(each: LossRow) -> tuple[str, str]:
    """Return what the formula calls the targets and the probabilities."""
    return ("p", "q") if each.form == "distributions" else ("Y", "P")


def _loss(each: LossRow) -> Step:
    row, terms = each.row, _terms(each)
    Y, P = _names(each)
    formula = [f"xent({Y}, {P}) = -sum_k {Y}(k) log {P}(k)"]
    if not each.is_plain:
        formula += _weighting(each, Y, P)
    assert each.loss is not None
    columns = [(Y, _text(row, each.Y))]
    if each.weights.smoothing:
        columns.append((f"{Y}'", _text(row, each.smoothed)))
    if each.weights.of_classes is not None:
        columns.append(("w", _text(row, each.weights.of_classes)))
    if each.kind != "log-probabilities":
        P_of = row.P if each.kind == "logits" else row.logits
        columns.append((P, _text(row, np.asarray(P_of, np.float64))))
    columns += [
        (f"log {P}", _text(row, each.logarithms)),
        ("term", _text(row, terms)),
    ]
    said = row.by_class(columns)
    if each.divided:
        names = [Y] * (each.targets.ndim == 2) + [P] * (each.kind == "probabilities")
        are = "is" if len(names) == 1 else "are"
        said.append(Line(f"{' and '.join(names)} {are} divided by the sum, as --normalize asks"))
    if each.weights.masked and each.kind != "logits":
        said.append(Line(f"{P} is 0 where --mask-class says so, and the rest divided by its sum"))
    if ((each.weighted == 0) & np.isneginf(each.logarithms)).any():
        said.append(Line("0 log 0 = 0: what weighs nothing adds nothing"))
    said += _put_together(each)
    facts = row.facts(
        targets=lambda k: each.weighted[k],
        logarithms=lambda k: each.logarithms[k],
        terms=lambda k: terms[k],
    )
    told = {**facts, "label": each.label, "base": each.base[0], "loss": each.loss}
    is_one_hot = each.label is not None and not each.has_class_terms
    title = "The loss: the sum collapses to one term" if is_one_hot else "The loss"
    return Step("loss", title, formula, told, said, row.number)


def _text(row: Row, values: Rows) -> Callable[[int], str]:
    return lambda place: row.digits.number(float(values[place]))


def _weighting(each: LossRow, Y: str, P: str) -> list[str]:
    """Return the formula with the weights that there are."""
    digits, weights = each.row.digits, each.weights
    s = "" if each.sample is None else "s "
    w = "" if weights.of_classes is None else "w(k) "
    target = f"{Y}'(k)" if weights.smoothing else f"{Y}(k)"
    lines = [f"loss = -{s}sum_k {w}{target} log {P}(k)"]
    if weights.smoothing:
        E, N = digits.number(weights.smoothing), weights.classes - len(set(weights.masked))
        lines.append(f"{Y}'(k) = (1 - E) {Y}(k) + E / N,  E = {E}, N = {N}")
    if each.sample is not None:
        lines.append(f"s = {digits.number(each.sample)} is the weight of the row")
    if weights.of_classes is not None:
        lines.append("w are the weights of the classes")
        labels = [each.row.name(int(label)) for label in each.targets if each.targets.ndim == 1]
        of_label = "".join(f"{s}w({label}) = " for label in labels)
        lines.append(f"in a mean the row weighs {of_label}{digits.number(each.in_mean)}")
    return lines


def _terms(each: LossRow) -> Rows:
    """Return -s w Y' log P, in nats; 0 where nothing is weighed."""
    with np.errstate(invalid="ignore", over="ignore"):
        terms = 0 - each.weighted * each.logarithms
    return np.where(each.weighted == 0, 0.0, terms)


def _put_together(each: LossRow) -> list[Part]:
    row, digits = each.row, each.row.digits
    base, _ = each.base
    assert each.loss is not None
    in_nats = float(_row_loss(each, math.e))
    lines = []
    if each.label is not None and not each.has_class_terms:
        P, name = _names(each)[1], row.name(each.label)
        of_label = row.probability(each.label) if each.kind == "logits" else ""
        s = "" if each.sample is None else f"{digits.number(each.sample)} * "
        log = f" = -{s}log {of_label}" if of_label else ""
        lines.append(f"one-hot: only the term of {name} is left: -{s}log {P}({name}){log}")
    lines.append(f"= {digits.number(in_nats)} nats")
    if base != "e":
        lines.append(f"= {digits.number(each.loss)} {UNITS[base]}, divided by log {base}")
    if each.kind == "logits" and each.label is not None and each.is_plain:
        gap = digits.number(-row.shifted(each.label))
        rest = digits.number(0 - float(each.logarithms[row.likeliest[0]]))
        distances = "(m - a_label)", "a_k - m"
        if row.T != 1:
            distances = "(m - a_label) / T", "(a_k - m) / T"
        lines.append("computed as {} + log sum_k exp({})".format(*distances))
        lines.append(f"  = {gap} + {rest}, where nothing cancels")
        lines += _naive(each, in_nats)
    return [Line(line) for line in lines]


def _naive(each: LossRow, in_nats: float) -> list[str]:
    row, digits = each.row, each.row.digits
    with np.errstate(all="ignore"):
        naive = float(-np.log(row.naive[1][each.label]))
    if digits.number(naive) == digits.number(in_nats):
        return []
    return [f"naive evaluation in {row.naive_dtype} prints {digits.number(naive)}"]


def _row_loss(each: LossRow, base: float) -> float:
    return float(
        row_losses(
            each.row.logits[None, :],
            each.targets,
            temperature=each.row.T,
            source=each.kind,
            base=base,
            weights=each.weights,
            samples=each.samples,
        )[0]
    )


def _gradient(each: LossRow) -> Step:
    row, digits = each.row, each.row.digits
    base, unit = each.base
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
    W = "Y" if each.is_plain else "W"
    divisors = ["T"] * (row.T != 1) + [f"log {base}"] * (base != "e")
    over = {0: "", 1: f" / {''.join(divisors)}"}.get(len(divisors), f" / ({' '.join(divisors)})")
    whole, plain = f"P_j sum_k {W}(k) - {W}(j)", "P - Y"
    if over:
        whole, plain = f"({whole}){over}", f"({plain}){over}"
    in_base = "" if base == "e" else f" / log {base}"
    formula = [
        f"d xent/da_j = sum_k -{W}(k) / P_k dP_k/da_j{in_base}",
        f"  = sum_k -{W}(k) (delta_kj - P_j){over} = {whole}",
    ]
    if each.is_plain and each.label is not None:
        formula.append(f"sum_k Y(k) = 1, so that it is {plain}")
    if not each.is_plain:
        formula.append(f"W is what each logarithm is weighted with: {_weight_text(each)}")
    heading = plain if each.is_plain and each.label is not None else "d xent/da"
    columns = [
        ("P", _text(row, row.P)),
        (W, _text(row, each.weighted)),
        (heading, _text(row, result[0])),
    ]
    said = row.by_class(columns)
    said.append(Line("its entries sum to 0, as logits that are moved alike change nothing"))
    if base != "e":
        said.append(Line(f"log {base} = {digits.number(math.log(unit))} makes {UNITS[base]} of it"))
    if each.loss == math.inf:
        said.append(Line("the loss is infinite, and has no derivative: this is what --grad writes"))
    said.append(Line("this is of one row's loss: --grad divides it as the loss of all is divided"))
    facts = row.facts(gradient=lambda j: result[0, j])
    return Step("gradient", "Its gradient", formula, facts, said, row.number)


def _weight_text(each: LossRow) -> str:
    s = "" if each.sample is None else "s "
    w = "" if each.weights.of_classes is None else "w(k) "
    return f"{s}{w}Y'(k)" if each.weights.smoothing else f"{s}{w}Y(k)"


def _entropies(each: LossRow) -> Step:
    digits = each.row.digits
    name, base = each.base
    entropies, divergences = entropies_and_divergences(
        each.targets,
        each.row.logits[None, :],
        base=base,
        weights=each.weights,
        samples=each.samples,
    )
    entropy, divergence = float(entropies[0]), float(divergences[0])
    assert each.loss is not None
    s = "" if each.sample is None else "s "
    w = "" if each.weights.of_classes is None else "w(k) "
    p = "p'(k)" if each.weights.smoothing else "p(k)"
    formula = [f"H(p) = -{s}sum_k {w}{p} log {p}", f"KL(p||q) = {s}sum_k {w}{p} log ({p} / q(k))"]
    unit = UNITS[name]
    xent = "xent(p, q)" if each.is_plain else "loss"
    least = "" if w else f": least where q is {p.removesuffix('(k)')}"
    lines = [
        f"H(p) = {digits.number(entropy)} {unit}, KL(p||q) = {digits.number(divergence)} {unit}",
        f"{xent} = H(p) + KL(p||q) = {digits.number(each.loss)} {unit}{least}",
    ]
    facts: dict[str, object] = {"entropy": entropy, "kl_divergence": divergence}
    said = [Line(line) for line in lines]
    title = "What of it is the entropy of p"
    return Step("entropy", title, formula, facts, said, each.row.number)
