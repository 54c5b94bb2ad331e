"""`xent --fit-temperature`: reads the rows at each temperature until the loss is least."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.core.loss.temperature import Slopes, fitted_temperature
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.loss_rows import LossRows
from softmax_cli.losses.metric import Metric, Scored
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.losses.settings import LossSettings
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
        scores = {"before": self.before._asdict(), "after": Scores.of(losses)._asdict()}
        return self._asdict() | scores


@dataclass
class LossSlopes(Metric):
    """Sums the derivatives of the loss with respect to the inverse temperature."""

    slopes: Slopes
    merged = ("slopes",)

    def of(self, scored: Scored) -> LossSlopes:
        return self.of_rows(scored.settings, scored.rows)

    def of_rows(self, settings: LossSettings, rows: LossRows) -> LossSlopes:
        """Return the slopes of these rows, whose losses need not be known."""
        slopes = Slopes(settings.temperature)
        good = rows.chosen(rows.used & ~np.isnan(rows.values[:, 0]))
        slopes.add(good.values, good.targets, settings.weights, good.samples, good.likeliest)
        return LossSlopes(slopes)


# The running slopes, within the running loss if that is asked for.
Sums = LossSlopes | RunningLoss


def fitted(inputs: LossInputs, bins: int, write: WriteOptions) -> Fit:
    """Return the temperature that minimises the loss, starting from the one of the options."""
    inputs.check_read_again("--fit-temperature", "the rows are read again at each temperature")

    def sums_at(temperature: float, scored: bool) -> tuple[Sums, str]:
        return summed_slopes(inputs.at(temperature), bins, write, scored=scored)

    return fit(sums_at, inputs.options.temperature)


def fit(sums_at: Callable[[float, bool], tuple[Sums, str]], temperature: float) -> Fit:
    """Return the temperature at which the loss is least, starting from this one.

    sums_at  returns the sums of all rows at a temperature, with the loss if the second argument
             is true, and how errors name the rows
    """
    before: list[Scores] = []

    def slopes_at(temperature: float) -> Slopes:
        sums, place = sums_at(temperature, not before)
        if isinstance(sums, LossSlopes):
            return sums.slopes
        sums.check(place)
        before.append(Scores.of(sums))
        (slopes,) = (each.slopes for each in sums.metrics if isinstance(each, LossSlopes))
        if sums.infinite_rows and not np.isfinite(slopes.coldest.total()):
            problem = "its label has probability 0, so its loss is infinite at every temperature"
            raise InputError(problem, "leave such rows out", sums.infinite_rows[0][1])
        return slopes

    found = fitted_temperature(slopes_at, temperature)
    return Fit(found.temperature, found.steps, before[0])


def summed_slopes(
    inputs: LossInputs, bins: int, write: WriteOptions, *, scored: bool
) -> tuple[Sums, str]:
    """Read all rows; return their sums, with the loss if `scored`, and how errors name them."""
    with ExitStack() as stack:
        source, settings = inputs.opened(stack)
        slopes = LossSlopes(Slopes(settings.temperature))
        losses = RunningLoss(settings, [slopes, Calibration.empty(bins, "")])
        sums: Any = losses if scored else slopes

        def sums_of(block: Block) -> Any:
            if scored:
                return losses.of(block)[-1]
            return slopes.of_rows(settings, settings.rows(block))

        each_block(source, sums_of, sums.merge, settings.on_bad_row, write)
    return sums, source.place
