"""`xent --fit-temperature`: reads the rows once a temperature until the loss is least."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.core.loss.temperature import Slopes, fitted_temperature
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.loss_rows import LossForm, LossRows
from softmax_cli.losses.metric import Metric, Scored
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.losses.spread import Reliability
from softmax_cli.pipeline.run import each_block


class Scores(NamedTuple):
    """What a temperature comes to; the loss is the mean if every row keeps its own."""

    temperature: float
    loss: float
    ece: float | None

    @classmethod
    def of(cls, losses: RunningLoss, reliability: Reliability) -> Scores:
        """Return the scores once all rows have gone by."""
        reduction = losses.reduction if losses.reduction != "none" else "mean"
        return cls(losses.temperature, losses.reduced.loss(reduction), reliability.ece)


class Fit(NamedTuple):
    """The temperature that was found in so many steps, and what the one before it came to."""

    temperature: float
    steps: int
    before: Scores

    def after(self, losses: RunningLoss) -> Scores:
        """Return what the losses at the temperature that was found came to."""
        (reliability,) = (each for each in losses.metrics if isinstance(each, Reliability))
        return Scores.of(losses, reliability)

    def report(self, losses: RunningLoss) -> dict[str, object]:
        """Return the object of the fit in JSON."""
        return {
            "temperature": self.temperature,
            "steps": self.steps,
            "before": self.before._asdict(),
            "after": self.after(losses)._asdict(),
        }


class _SlopesOf(Metric):
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


class Reading(NamedTuple):
    """What a reading of all rows at a temperature found; what it scored, if that was asked."""

    slopes: Slopes
    scores: Scores | None


# At a temperature, scored or not.
Readings = Callable[[float, bool], Reading]


def fitted(inputs: LossInputs, report: ReportOptions, write: WriteOptions) -> Fit:
    """Return the temperature that minimises the loss, starting from the one of the options."""
    inputs.check_read_again("--fit-temperature", "the rows are read once a temperature")

    def reading(temperature: float, scored: bool) -> Reading:
        sums, place = SlopeSums.found(inputs.at(temperature), report.bins, write, scored=scored)
        return sums.reading(place, scored=scored)

    return fit(reading, inputs.options.temperature)


def fit(readings: Readings, temperature: float) -> Fit:
    """Return the temperature at which the loss is least, starting from this one."""
    before: list[Scores] = []

    def slopes_at(temperature: float) -> Slopes:
        slopes, scores = readings(temperature, not before)
        if scores is not None:
            before.append(scores)
        return slopes

    found = fitted_temperature(slopes_at, temperature)
    return Fit(found.temperature, found.steps, before[0])


class SlopeSums:
    """The running derivatives of the loss, and the loss itself if that is asked."""

    def __init__(self, losses: RunningLoss, tally: _SlopesOf, reliability: Reliability) -> None:
        """Start with no row."""
        self._losses, self._tally, self._reliability = losses, tally, reliability

    @classmethod
    def of(cls, inputs: LossInputs, source: Source, form: LossForm, bins: int) -> SlopeSums:
        """Return the sums at the temperature of the options, still of no rows."""
        temperature = inputs.options.temperature
        tally = _SlopesOf(Slopes(temperature), form)
        reliability = Reliability(bins, form.kind, temperature, is_asked=False)
        return cls(inputs.losses(source, form, [tally, reliability]), tally, reliability)

    @classmethod
    def found(
        cls, inputs: LossInputs, bins: int, write: WriteOptions, *, scored: bool
    ) -> tuple[SlopeSums, str]:
        """Read all rows; return the sums, and how errors name the rows."""
        with ExitStack() as stack:
            source, form = inputs.opened(stack)
            sums = cls.of(inputs, source, form, bins)
            add = sums._losses.of if scored else sums._tally.add_block
            each_block(source, add, lambda _: None, inputs.read.on_bad_row, write)
        return sums, source.place

    def reading(self, place: str, *, scored: bool) -> Reading:
        """Return what was found of all rows."""
        if not scored:
            return Reading(self._tally.slopes, None)
        self._losses.check(place)
        return Reading(self._tally.slopes, Scores.of(self._losses, self._reliability))

    def state(self, *, scored: bool) -> dict[str, Any]:
        """Return the sums as they are."""
        return self._losses.state() if scored else self._tally.state()

    def add_state(self, state: dict[str, Any], *, scored: bool) -> None:
        """Add the sums of others."""
        if scored:
            self._losses.add_state(state, 0)
        else:
            self._tally.add_state(state, 0)
