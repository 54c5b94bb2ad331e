"""`xent --fit-temperature`: reads the rows once a temperature until the loss is least."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from softmax_cli.commands.loss import Losses
from softmax_cli.commands.loss_inputs import LossInputs
from softmax_cli.commands.loss_options import ReportOptions
from softmax_cli.commands.tallies import Reliability, Scored, Tally
from softmax_cli.core.temperature import Slopes, fitted_temperature
from softmax_cli.core.weights import Weights
from softmax_cli.formats.blocks import WriteOptions
from softmax_cli.pipeline import each_block


class Scores(NamedTuple):
    """What a temperature comes to; the loss is the mean if every row keeps its own."""

    temperature: float
    loss: float
    ece: float | None

    @classmethod
    def of(cls, losses: Losses, reliability: Reliability) -> Scores:
        """Return the scores once all rows have gone by."""
        reduction = losses.reduction if losses.reduction != "none" else "mean"
        return cls(losses.temperature, losses.reduced.loss(reduction), reliability.ece)


class Fit(NamedTuple):
    """The temperature that was found in so many steps, and what the one before it came to."""

    temperature: float
    steps: int
    before: Scores

    def after(self, losses: Losses) -> Scores:
        """Return what the losses at the temperature that was found came to."""
        (reliability,) = (each for each in losses.tallies if isinstance(each, Reliability))
        return Scores.of(losses, reliability)

    def report(self, losses: Losses) -> dict[str, object]:
        """Return the object of the fit in JSON."""
        return {
            "temperature": self.temperature,
            "steps": self.steps,
            "before": self.before._asdict(),
            "after": self.after(losses)._asdict(),
        }


class _SlopesOf(Tally):
    """Adds up the derivatives of the loss by the inverse temperature."""

    def __init__(self, temperature: float, weights: Weights) -> None:
        self.slopes = Slopes()
        self._temperature, self._weights = temperature, weights

    def add(self, scored: Scored) -> None:
        rows, counted = scored.rows, scored.counted
        samples = None if rows.samples is None else rows.samples[counted]
        self.slopes.add(
            rows.values[counted], rows.targets[counted], self._temperature, self._weights, samples
        )

    def report(self) -> dict[str, object]:
        return {}


def fitted(inputs: LossInputs, report: ReportOptions, write: WriteOptions) -> Fit:
    """Return the temperature that minimises the loss, starting from the one of the options."""
    inputs.check_read_again("--fit-temperature", "the rows are read once a temperature")
    before: list[Scores] = []

    def slopes_at(temperature: float) -> Slopes:
        at = replace(inputs, options=replace(inputs.options, temperature=temperature))
        with ExitStack() as stack:
            source, form = at.opened(stack)
            slopes = _SlopesOf(temperature, form.weights)
            reliability = Reliability(report.bins, form.kind, temperature, is_asked=False)
            losses = at.losses(source, form, [slopes] if before else [slopes, reliability])
            each_block(source, losses.of, at.read.on_bad_row, write)
            if not before:
                losses.check(source.place)
                before.append(Scores.of(losses, reliability))
        return slopes.slopes

    found = fitted_temperature(slopes_at, inputs.options.temperature)
    return Fit(found.temperature, found.steps, before[0])
