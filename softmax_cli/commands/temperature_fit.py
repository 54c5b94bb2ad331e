"""`xent --fit-temperature`: reads the rows once a temperature until the loss is least."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.commands.loss import Losses
from softmax_cli.commands.loss_inputs import LossInputs
from softmax_cli.commands.loss_options import ReportOptions
from softmax_cli.commands.loss_rows import LossForm, LossRows
from softmax_cli.commands.tallies import Reliability, Scored, Tally
from softmax_cli.core.temperature import Slopes, fitted_temperature
from softmax_cli.formats.blocks import Block, WriteOptions
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
    """Adds up the derivatives of the loss."""

    def __init__(self, slopes: Slopes, form: LossForm) -> None:
        self.slopes, self._form = slopes, form

    def add(self, scored: Scored) -> None:
        self.add_rows(scored.rows)

    def add_block(self, block: Block) -> None:
        self.add_rows(self._form.rows(block))

    def add_rows(self, rows: LossRows) -> None:
        good = rows.chosen(rows.used & ~np.isnan(rows.values[:, 0]))
        self.slopes.add(good.values, good.targets, self._form.weights, good.samples)

    def report(self) -> dict[str, object]:
        return {}

    def state(self) -> dict[str, Any]:
        return self.slopes.state()

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        self.slopes.add_state(state)


def fitted(inputs: LossInputs, report: ReportOptions, write: WriteOptions) -> Fit:
    """Return the temperature that minimises the loss, starting from the one of the options."""
    inputs.check_read_again("--fit-temperature", "the rows are read once a temperature")
    before: list[Scores] = []

    def slopes_at(temperature: float) -> Slopes:
        at = replace(inputs, options=replace(inputs.options, temperature=temperature))
        slopes = Slopes(temperature)
        with ExitStack() as stack:
            source, form = at.opened(stack)
            tally = _SlopesOf(slopes, form)
            if before:
                each_block(source, tally.add_block, at.read.on_bad_row, write)
                return slopes
            reliability = Reliability(report.bins, form.kind, temperature, is_asked=False)
            losses = at.losses(source, form, [tally, reliability])
            each_block(source, losses.of, at.read.on_bad_row, write)
            losses.check(source.place)
            before.append(Scores.of(losses, reliability))
        return slopes

    found = fitted_temperature(slopes_at, inputs.options.temperature)
    return Fit(found.temperature, found.steps, before[0])
