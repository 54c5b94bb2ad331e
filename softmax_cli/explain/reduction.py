"""How the losses of rows are put together."""

from __future__ import annotations

from softmax_cli.core.loss.log_bases import UNITS
from softmax_cli.display.parts import Line
from softmax_cli.display.steps import Step
from softmax_cli.explain.row import Digits


def reduction_step(
    reduction: str, total: float, denominator: float, loss: float | None, digits: Digits, base: str
) -> Step:
    """Return the step from the losses of the rows to that of all.

    total  the sum of their losses
    """
    facts = {"reduction": reduction, "sum": total, "denominator": denominator, "loss": loss}
    if loss is None:
        said = "with --reduction none each row keeps its own: nothing is divided"
        return Step("reduction", "All rows", (), facts, [Line(said)])
    sum_, divisor, reduced = map(digits.number, (total, denominator, loss))
    formula, lines = "loss = sum_i loss_i", [f"= {reduced} {UNITS[base]}"]
    if reduction != "sum":
        lines = [f"= {sum_} / {divisor} = {reduced} {UNITS[base]}"]
        what = "number n of the rows used"
        if reduction == "mean":
            what = "sum of the weights of the rows used, 1 where none are given"
        formula += " / sum_i weight_i" if reduction == "mean" else " / n"
        lines.append(f"divided by the {what}")
    return Step("reduction", "All rows", [formula], facts, [Line(line) for line in lines])
