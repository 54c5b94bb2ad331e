"""What xent prints: the loss alone, the losses of the rows, or a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss import UNITS, Losses
from softmax_cli.errors import InputError
from softmax_cli.formats import open_sink, output_format
from softmax_cli.formats.blocks import Block, ReadOptions, Result, Source, WriteOptions
from softmax_cli.formats.target import Target
from softmax_cli.pipeline import Counts, good_rows, note, progress


def write_losses(source: Source, losses: Losses, read: ReadOptions, write: WriteOptions) -> None:
    """Read all rows, and write the loss: a report for people and JSON, else the number alone."""
    form = output_format(write).name
    report = form == "json" or (form == "table" and losses.reduction != "none")
    if report:
        target = Target(write.output or "-", source.paths, in_place=write.in_place)
        try:
            kept = [block.values[:, 0] for block in _loss_blocks(source, losses, read, write)]
            _write_report(losses, kept, form, target, write)
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
            for block in _loss_blocks(source, losses, read, write):
                if losses.reduction == "none":
                    sink.write(block)
            if (loss := losses.loss()) is not None:
                sink.write(Block(0, np.array([[loss]]), lambda _: source.place))
    _say_what_is_odd(losses, write)


def _loss_blocks(
    source: Source, losses: Losses, read: ReadOptions, write: WriteOptions
) -> Iterator[Block]:
    counts = Counts()
    with progress(source, write) as advance:
        for block in good_rows(source, read.on_bad_row, counts, write):
            yield block.with_values(losses.of(block)[:, None])
            advance(counts.read)
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
    if losses.source == "logits" and losses.like_probabilities == losses.rows > 0:
        note(
            "warning: every row lies in 0..1 and sums to 1 as probabilities do, and was taken as "
            "logits; --from probabilities takes it as it is",
            write,
        )
