"""`xent --fit-temperature`: reads the rows at each temperature until the loss is least."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.core.loss.temperature import Slopes, fitted_temperature
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.loss_rows import LossForm, LossRows
from softmax_cli.losses.metric import Metric, Scored
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.pipeline.run import each_block


class Scores(NamedTuple):
    """The scores at a temperature; the loss is the mean if every row keeps its own."""

    temperature: float
    loss: float
    ece: float | None

    @classmethod
    def of(cls, losses: RunningLoss) -> Scores:
        """Return the scores of all rows."""
        reduction = losses.settings.reduction
        loss = losses.reduced.loss("mean" if reduction == "none" else reduction)
        (calibration,) = (each for each in losses.metrics if isinstance(each, Calibration))
        ece = None if calibration.is_soft else calibration.ece()
        return cls(losses.settings.temperature, loss, ece)


class Fit(NamedTuple):
    """The temperature that was found, in how many steps, and the scores before."""

    temperature: float
    steps: int
    before: Scores

    def report(self, losses: RunningLoss) -> dict[str, object]:
        """Return the object of the fit in JSON; `losses` are at the temperature found."""
        return {
            "temperature": self.temperature,
            "steps": self.steps,
            "before": self.before._asdict(),
            "after": Scores.of(losses)._asdict(),
        }


@dataclass
class _LossSlopes(Metric):
    """Sums the derivatives of the loss with respect to the inverse temperature."""

    temperature: float
    form: LossForm
    slopes: Slopes
    merged = ("slopes",)

    def of(self, scored: Scored) -> _LossSlopes:
        return self.of_rows(scored.rows)

    def of_block(self, block: Block) -> _LossSlopes:
        return self.of_rows(self.form.rows(block))

    def of_rows(self, rows: LossRows) -> _LossSlopes:
        slopes, good = (
            Slopes(self.temperature),
            rows.chosen(rows.used & ~np.isnan(rows.values[:, 0])),
        )
        slopes.add(good.values, good.targets, self.form.weights, good.samples)
        return replace(self, slopes=slopes)


class Reading(NamedTuple):
    """The slopes at a temperature and, if they were asked for, the scores."""

    slopes: Slopes
    scores: Scores | None


def fitted(inputs: LossInputs, report: ReportOptions, write: WriteOptions) -> Fit:
    """Return the temperature that minimises the loss, starting from the one of the options."""
    inputs.check_read_again("--fit-temperature", "the rows are read once a temperature")

    def reading(temperature: float, scored: bool) -> Reading:
        sums, place = SlopeSums.found(inputs.at(temperature), report.bins, write, scored=scored)
        return sums.reading(place)

    return fit(reading, inputs.options.temperature)


def fit(readings: Callable[[float, bool], Reading], temperature: float) -> Fit:
    """Return the temperature at which the loss is least, starting from this one.

    readings  returns what all rows come to at a temperature, with scores or without
    """
    before: list[Scores] = []

    def slopes_at(temperature: float) -> Slopes:
        slopes, scores = readings(temperature, not before)
        if scores is not None:
            before.append(scores)
        return slopes

    found = fitted_temperature(slopes_at, temperature)
    return Fit(found.temperature, found.steps, before[0])


@dataclass(frozen=True)
class SlopeSums:
    """The running slopes, and the running loss that counts them if scores are asked for."""

    slopes: _LossSlopes
    losses: RunningLoss | None

    @classmethod
    def of(
        cls, inputs: LossInputs, source: Source, form: LossForm, bins: int, *, scored: bool
    ) -> SlopeSums:
        """Return the sums of no row, at the temperature of the options."""
        temperature = inputs.options.temperature
        slopes = _LossSlopes(temperature, form, Slopes(temperature))
        if not scored:
            return cls(slopes, None)
        calibration = Calibration.empty(bins, form.kind, temperature, is_asked=False)
        return cls(slopes, inputs.losses(source, form, [slopes, calibration]))

    @classmethod
    def found(
        cls, inputs: LossInputs, bins: int, write: WriteOptions, *, scored: bool
    ) -> tuple[SlopeSums, str]:
        """Read all rows; return the sums, and how errors name the rows."""
        with ExitStack() as stack:
            source, form = inputs.opened(stack)
            sums = cls.of(inputs, source, form, bins, scored=scored)
            losses, slopes, on_bad_row = sums.losses, sums.slopes, inputs.read.on_bad_row
            if losses is None:
                each_block(source, slopes.of_block, slopes.merge, on_bad_row, write)
            else:
                of = losses.of
                each_block(source, lambda block: of(block).found, losses.merge, on_bad_row, write)
        return sums, source.place

    def reading(self, place: str) -> Reading:
        """Return what all rows come to."""
        if self.losses is None:
            return Reading(self.slopes.slopes, None)
        self.losses.check(place)
        return Reading(self.slopes.slopes, Scores.of(self.losses))

    def state(self) -> dict[str, Any]:
        """Return the sums for JSON."""
        return (self.losses or self.slopes).state()

    def merge_state(self, state: dict[str, Any]) -> None:
        """Add the sums of other rows."""
        if self.losses is None:
            self.slopes.merge(self.slopes.from_state(state, 0))
        else:
            self.losses.merge(self.losses.from_state(state, 0))
