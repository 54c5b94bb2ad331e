"""`softmax-cli xent`: cross-entropy of two distributions, or of logits and labels."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from softmax_cli.commands.options import (
    Base,
    ReadOptions,
    Temperature,
    Values,
    WriteOptions,
)
from softmax_cli.errors import UsageError

if TYPE_CHECKING:
    from softmax_cli.formats.blocks import Source

Reduction = Literal["mean", "batch-mean", "sum", "none"]
From = Literal["logits", "probabilities", "log-probabilities"]

DESCRIPTION = """Of two distributions: xent(p, q) = -sum_k p(k) log q(k), with H(p) and KL(p||q).

Of logits and labels: -log P(label), with P the softmax of the logits; of logits and targets Y:
-sum_k Y(k) log P(k).

The losses of the rows are put together by --reduction: mean and batch-mean divide their sum by
the number of rows, sum does not, none gives one loss a row. In a pipe the loss is printed alone:
loss=$(softmax-cli xent ...)."""

EXAMPLES = (
    "softmax-cli xent --p 0.5,0.5 --q 0.25,0.75 --base 2",
    "softmax-cli xent 1,2,3 3,2,1 --labels 2,0",
    "softmax-cli xent samples/iris.csv --label-column label",
    "softmax-cli xent samples/digits_logits.npy --labels samples/digits_labels.npy --format json",
    "softmax-cli xent 0.2,0.8 --from probabilities --targets 0,1 --reduction none",
)


def command(
    values: Values = None,
    p: Annotated[
        str | None,
        typer.Option("--p", metavar="P", help="The distribution p: a row '0.5,0.5', or a file."),
    ] = None,
    q: Annotated[
        str | None, typer.Option("--q", metavar="Q", help="The distribution q, as --p.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="L",
            help="The label of each row: a file, or '2,0,1'; numbers from 0, or names of classes.",
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option("--label-column", metavar="NAME", help="Labels in a column of the logits."),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option("--targets", metavar="Y", help="One-hot or soft targets: a row or a file."),
    ] = None,
    from_: Annotated[From, typer.Option("--from", help="What the values are.")] = "logits",
    temperature: Temperature = 1.0,
    reduction: Annotated[
        Reduction, typer.Option("--reduction", help="How the losses of the rows are put together.")
    ] = "mean",
    normalize: Annotated[
        bool,
        typer.Option("--normalize", help="Divide distributions by their sum, if it is not 1."),
    ] = False,
    base: Base = "e",
    losses_path: Annotated[
        str | None,
        typer.Option("--losses", metavar="PATH", help="Write the loss of each row to a file."),
    ] = None,
    gradient_path: Annotated[
        str | None,
        typer.Option(
            "--grad",
            metavar="PATH",
            help="Write the gradient of the reduced loss with respect to the logits to a file.",
        ),
    ] = None,
    read: ReadOptions = ReadOptions(),
    write: WriteOptions = WriteOptions(),
) -> int:
    """Pair the inputs, and write their loss."""
    from softmax_cli.commands.loss import Losses
    from softmax_cli.commands.loss_report import RowFiles, write_losses

    _check_files(losses_path, gradient_path, write, from_, p)
    _check_form(values, p, q, labels, label_column, targets, temperature, from_)
    with ExitStack() as stack:
        source = _paired(stack, values, p, q, labels, label_column, targets, read)
        losses = Losses(
            form="distributions" if p is not None else "targets" if targets else "labels",
            source=from_,
            temperature=temperature,
            reduction=reduction,
            base=base,
            normalize=normalize,
            on_bad_row=read.on_bad_row,
            dtype=source.dtype,
            partner=_named(p, "--p") if p is not None else _named(targets or "", "--targets"),
        )
        if gradient_path is not None:
            losses.gradient_divisor = _divisor(source, values, label_column, reduction, read, write)
        write_losses(source, losses, RowFiles(losses_path, gradient_path), read, write)
    return 0


def _check_files(
    losses: str | None, gradient: str | None, write: WriteOptions, from_: From, p: str | None
) -> None:
    """Refuse files that cannot all be written, and a gradient of what are no logits."""
    from pathlib import Path

    if gradient is not None and (p is not None or from_ != "logits"):
        raise UsageError("goes with logits alone", "leave it out", "--grad")
    given = [("--losses", losses), ("--grad", gradient), ("--output", write.output)]
    seen: dict[Path, str] = {}
    for option, path in given:
        if path is None:
            continue
        if path == "-" and option != "--output":
            raise UsageError("standard output takes the loss", "name a file", option)
        first = seen.setdefault(Path(path).resolve(), option)
        if first != option:
            raise UsageError(f"names the same file as {first}", "give each its own", option)


def _divisor(
    source: Source,
    values: list[str] | None,
    label_column: str | None,
    reduction: Reduction,
    read: ReadOptions,
    write: WriteOptions,
) -> float:
    """Return what the gradients are divided by, which a mean needs before the first row."""
    from dataclasses import replace

    from softmax_cli.core.cross_entropy import denominator

    rows = source.rows
    if reduction in ("mean", "batch-mean") and (rows is None or read.on_bad_row == "skip"):
        from softmax_cli.commands.inputs import opened
        from softmax_cli.formats.blocks import Keep
        from softmax_cli.pipeline import good_blocks

        if not values or "-" in values:
            raise UsageError(
                "a mean needs the number of rows first, and standard input is read once",
                "name a file, or add --reduction sum",
                "--grad",
            )
        quiet = replace(write, quiet=True)
        with opened("xent", values, read, Keep(labels=label_column)) as counted:
            rows = sum(
                len(block.values) for block, _ in good_blocks(counted, read.on_bad_row, quiet)
            )
    return denominator(max(1, rows or 0), reduction)


def _named(token: str, option: str) -> str:
    """Return how errors name the rows of an option: by its file, or by the option itself."""
    from pathlib import Path

    return token if Path(token).is_file() else option


def _check_form(
    values: list[str] | None,
    p: str | None,
    q: str | None,
    labels: str | None,
    label_column: str | None,
    targets: str | None,
    temperature: float,
    from_: From,
) -> None:
    """Refuse what is not exactly one of the command's forms."""
    if (p is None) != (q is None):
        raise UsageError("one distribution alone", "give both", "--p and --q")
    given = [
        option
        for option, value in (
            ("--p and --q", p),
            ("--labels", labels),
            ("--label-column", label_column),
            ("--targets", targets),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are two forms of the command", "give one", "xent")
    if not given and values:
        raise UsageError(
            "the values have nothing to be compared with",
            "give --labels, --label-column or --targets; or two distributions with --p and --q",
            "xent",
        )
    if p is not None and values:
        raise UsageError("takes no values beside them", "write 0.5,0.5 with commas", "--p and --q")
    if temperature != 1.0 and (from_ != "logits" or p is not None):
        raise UsageError("goes with logits alone", "leave it out", "--temperature")


def _paired(
    stack: ExitStack,
    values: list[str] | None,
    p: str | None,
    q: str | None,
    labels: str | None,
    label_column: str | None,
    targets: str | None,
    read: ReadOptions,
) -> Source:
    """Return the rows with their labels, targets, or, for q, the rows of p beside them."""
    from softmax_cli.commands.inputs import labelled, opened, opened_option, opened_partner
    from softmax_cli.errors import ShapeError
    from softmax_cli.formats.blocks import Keep
    from softmax_cli.formats.labels import open_labels
    from softmax_cli.pipeline import paired

    if p is not None and q is not None:
        partner, option = p, "--p"
        source = stack.enter_context(opened_option(q, "--q", read))
    else:
        source = stack.enter_context(opened("xent", values, read, Keep(labels=label_column)))
        if label_column is not None:
            return labelled(source)
        if labels is not None:
            opened_labels = open_labels(labels, source.class_names, key=read.key)
            return paired(source, stack.enter_context(opened_labels))
        if targets is None:
            raise UsageError("no labels", "give --labels, --label-column or --targets", "xent")
        partner, option = targets, "--targets"
    other = stack.enter_context(opened_partner(partner, option, read, source.classes))
    if other.classes != source.classes:
        remedy = "write 1,0,0 with commas" if other.classes == 1 else "they go class by class"
        problem = f"{other.classes} classes, and {source.place} has {source.classes}"
        raise ShapeError(problem, remedy, option)
    if other.class_names and source.class_names and other.class_names != source.class_names:
        raise ShapeError(
            f"the columns of {other.place} are not named as those of {source.place}",
            "the same classes are needed in the same order",
            option,
        )
    return paired(source, other)
