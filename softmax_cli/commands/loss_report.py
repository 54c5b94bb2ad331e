"""What xent prints: the loss alone, the losses of the rows, or a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss import UNITS, Losses
from softmax_cli.errors import InputError
from softmax_cli.formats import open_sink, output_format
from softmax_cli.formats.blocks import Block, ReadOptions, Result, Sink, Source, WriteOptions
from softmax_cli.formats.target import Target
from softmax_cli.pipeline import note, run


def write_losses(source: Source, losses: Losses, read: ReadOptions, write: WriteOptions) -> None:
    """Read all rows, and write the loss: a report for people and JSON, else the number alone."""
    form = output_format(write).name
    report = form == "json" or (form == "table" and losses.reduction != "none")
    if report:
        target = Target(write.output or "-", source.paths, in_place=write.in_place)
        try:
            rows = _RowLosses(kept=losses.reduction == "none")
            _compute(source, losses, rows, read, write)
            _write_report(losses, rows.parts, form, target, write)
            target.commit()
        except BaseException:
            target.abandon()
            raise
    else:
        rowwise = losses.reduction == "none"
        id_names = source.id_names if rowwise else ()
        result = Result(
            command="xent",
            name="losses",
            columns=1,
            dtype=np.dtype(np.float64),
            class_names=("loss",),
            # The bare numbers, unless ids stand beside them.
            column_names=("loss",) if id_names and source.class_names else None,
            id_names=id_names,
            flat="rows" if rowwise else "one",
        )
        with open_sink(result, write, source.paths) as sink:
            _compute(source, losses, sink if rowwise else _RowLosses(kept=False), read, write)
            if (loss := losses.loss()) is not None:
                sink.write(Block(0, np.array([[loss]]), lambda _: source.place))
    _say_what_is_odd(losses, write)


class _RowLosses(Sink):
    """Keeps the losses of the rows for a report that names them, or lets them go."""

    def __init__(self, *, kept: bool) -> None:
        self.parts: list[NDArray[Any]] = []
        self._kept = kept

    def write(self, block: Block) -> None:
        if self._kept:
            self.parts.append(block.values[:, 0])

    def finish(self) -> None:
        """Nothing follows."""


def _compute(
    source: Source, losses: Losses, sink: Sink, read: ReadOptions, write: WriteOptions
) -> None:
    def kernel(block: Block) -> Block:
        return block.with_values(losses.of(block)[:, None])

    run(source, kernel, sink, read.on_bad_row, write)
    if not losses.rows:
        raise InputError("has no rows, so there is no loss", place=source.place)


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
        note(f"{rows} an infinite loss; the first: {losses.first_infinite}", write)
    alike = losses.rows and not losses.unlike_probabilities
    if alike and losses.source == "logits" and losses.form != "distributions":
        note(
            "warning: every row lies in 0..1 and sums to 1 as probabilities do, and was taken as "
            "logits; --from probabilities takes it as it is",
            write,
        )
