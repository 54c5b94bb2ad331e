"""What xent prints: the loss alone, the losses of the rows, or a report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss import UNITS, Losses
from softmax_cli.formats import open_sink, output_format
from softmax_cli.formats.blocks import Block, ReadOptions, Result, Sink, Source, WriteOptions
from softmax_cli.formats.target import Target
from softmax_cli.pipeline import note, run


@dataclass(frozen=True)
class RowFiles:
    """Where what belongs to the rows is written beside the loss.

    losses    a file of the losses of the rows
    gradient  a file of the gradient of the reduced loss with respect to the logits
    """

    losses: str | None = None
    gradient: str | None = None


def write_losses(
    source: Source, losses: Losses, files: RowFiles, read: ReadOptions, write: WriteOptions
) -> None:
    """Read all rows, and write the loss: a report for people and JSON, else the number alone."""
    form = output_format(write).name
    report = form == "json" or (form == "table" and losses.reduction != "none")
    with ExitStack() as stack:
        if report:
            target = Target(write.output or "-", source.paths, in_place=write.in_place)
            # Whatever happens before the end, nothing is left behind; after it, nothing is undone.
            stack.callback(target.abandon)
        sinks = _Sinks(stack, source, files, write)
        kept = _Kept(wanted=report and losses.reduction == "none")
        rowwise = losses.reduction == "none" and not report
        if not report:
            result = _row_result(source) if rowwise else _one_number()
            alone = stack.enter_context(open_sink(result, write, source.paths))
        sinks.of_losses.append(alone if rowwise else kept)
        _compute(source, losses, sinks, read, write)
        if report:
            _write_report(losses, kept.losses, form, target, write)
            target.commit()
        elif (loss := losses.loss()) is not None:
            alone.write(Block(0, np.array([[loss]]), lambda _: source.place))
    _say_what_is_odd(losses, write)


def _one_number() -> Result:
    return Result("xent", "losses", 1, np.dtype(np.float64), flat="one")


def _row_result(source: Source) -> Result:
    """Return the result of a loss a row: the bare numbers, unless ids stand beside them."""
    named = bool(source.id_names and source.class_names)
    return Result(
        "xent",
        "losses",
        1,
        np.dtype(np.float64),
        class_names=("loss",),
        column_names=("loss",) if named else None,
        id_names=source.id_names,
        flat="rows",
    )


class _Sinks(Sink):
    """Passes on the losses of a block, and the gradients beside them, to where each goes."""

    def __init__(
        self, stack: ExitStack, source: Source, files: RowFiles, write: WriteOptions
    ) -> None:
        self.of_losses: list[Sink] = []
        self._of_gradients: list[Sink] = []
        if files.losses is not None:
            options = replace(write, output=files.losses, format=None)
            sink = open_sink(_row_result(source), options, source.paths)
            self.of_losses.append(stack.enter_context(sink))
        if files.gradient is not None:
            result = Result(
                "xent",
                "gradient",
                source.classes,
                source.dtype,
                class_names=source.class_names,
                column_names=source.class_names,
                id_names=source.id_names,
                leading=source.leading,
                axis=source.axis,
            )
            options = replace(write, output=files.gradient, format=None)
            self._of_gradients.append(stack.enter_context(open_sink(result, options, source.paths)))

    def write(self, block: Block) -> None:
        self.prepare(block)()

    def prepare(self, block: Block) -> Callable[[], None]:
        commits = [sink.prepare(block) for sink in self.of_losses]
        if block.partner is not None:
            gradients = block.with_values(block.partner)
            commits += [sink.prepare(gradients) for sink in self._of_gradients]

        def commit() -> None:
            for each in commits:
                each()

        return commit

    def finish(self) -> None:
        """Each sink is finished where it was opened."""


class _Kept(Sink):
    """Keeps the losses of the rows for a report that names them, or lets them go."""

    def __init__(self, *, wanted: bool) -> None:
        self.losses: list[NDArray[Any]] = []
        self._wanted = wanted

    def write(self, block: Block) -> None:
        if self._wanted:
            self.losses.append(block.values[:, 0])

    def finish(self) -> None:
        """Nothing follows."""


def _compute(
    source: Source, losses: Losses, sink: Sink, read: ReadOptions, write: WriteOptions
) -> None:
    def kernel(block: Block) -> Block:
        of_rows, gradients = losses.of(block)
        return replace(block, values=of_rows[:, None], partner=gradients)

    run(source, kernel, sink, read.on_bad_row, write, needed_for="loss")


def _write_report(
    losses: Losses,
    kept: list[NDArray[Any]],
    form: str,
    target: Target,
    write: WriteOptions,
) -> None:
    report = losses.report()
    if form == "json":
        from softmax_cli.formats.json_text import json_report

        if losses.reduction == "none":
            report["losses"] = np.concatenate(kept).tolist()
        target.write((json_report(report, write.precision) + "\n").encode())
        return
    from softmax_cli.formats.table import DEFAULT_PRECISION, print_table

    digits = write.precision or DEFAULT_PRECISION
    unit = UNITS[losses.base]
    counted = "1 row" if losses.rows == 1 else f"{losses.rows} rows"
    divided = {"sum": "the sum"}.get(losses.reduction, f"the {losses.reduction}")
    lines = [("loss", f"{report['loss']:.{digits}g}", f"{unit}, {divided} of {counted}")]
    if losses.form == "distributions":
        lines += [
            ("H(p)", f"{report['entropy']:.{digits}g}", f"{unit}, the entropy of p"),
            ("KL(p||q)", f"{report['kl_divergence']:.{digits}g}", f"{unit}, loss - H(p)"),
        ]
    lines.append(("perplexity", f"{report['perplexity']:.{digits}g}", "exp of the mean in nats"))
    if report["accuracy"] is not None:
        right = f"{losses.correct} of {counted}"
        lines.append(("accuracy", f"{report['accuracy']:.{digits}g}", right))
    print_table(("", "", ""), lines, target, write, left=(0, 2))


def _say_what_is_odd(losses: Losses, write: WriteOptions) -> None:
    if losses.infinite:
        rows = "1 row has" if losses.infinite == 1 else f"{losses.infinite} rows have"
        places = ", ".join(place for _, place in losses.infinite_rows)
        more = losses.infinite - len(losses.infinite_rows)
        others = f", and {more} more" if more else ""
        note(f"{rows} an infinite loss: {places}{others}", write)
    alike = losses.rows and not losses.unlike_probabilities
    if alike and losses.source == "logits" and losses.form != "distributions":
        note(
            "warning: every row lies in 0..1 and sums to 1 as probabilities do, and was taken as "
            "logits; --from probabilities takes it as it is",
            write,
        )
