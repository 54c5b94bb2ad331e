"""`--binary`: a single column as the second of two classes, and derivatives in one column."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softmax_cli.core.loss.two_classes import two_classes
from softmax_cli.errors import InputError, ShapeError, join_names
from softmax_cli.formats.arrays.array import array_source, whole_array
from softmax_cli.formats.model.blocks import Block, OneColumn, Source

if TYPE_CHECKING:
    from softmax_cli.core.loss.row_losses import Kind


def as_column(source: Source) -> Source:
    """Return the source with each number of a one-dimensional array as a row."""
    if source.leading != () or source.classes == 1:
        return source
    # Such an array is one row, which is held whole.
    column = array_source(whole_array(source).reshape(-1, 1), source.place)
    return replace(
        column,
        leading=(),
        dtype=source.dtype,
        stored=source.stored,
        paths=source.paths,
        close=source.close,
    )


def values_of_two_classes(source: Source, kind: Kind) -> Source:
    """Return the source with its single column as two classes: see `two_classes`."""
    source = as_column(source)
    check_one_column(source, "--binary")
    table, is_flat = source.table, source.leading == ()
    if table is not None:
        # Errors name the one cell for both classes.
        table = replace(table, classes=2 * table.classes)
    column = OneColumn(source.class_names, source.table, is_flat=is_flat)
    leading = source.leading if source.rows is None or not is_flat else (source.rows,)
    return source.map(
        lambda block: block.with_values(two_classes(block.values, kind)),
        classes=2,
        class_names=None,
        leading=leading,
        table=table,
        column=column,
    )


def check_one_column(source: Source, option: str) -> None:
    """Raise ShapeError unless the source has one column."""
    if source.classes == 1:
        return
    names = f": {join_names(source.class_names)}" if source.class_names else ""
    problem = f"takes a single column, but {source.place} has {source.classes}{names}"
    remedy = "leave it out if these are the classes"
    if source.table is not None:
        remedy += ", or choose one with --columns"
    elif source.rows == 1:
        remedy += ", or type numbers with blanks between them, 0.2 0.7"
    raise ShapeError(problem, remedy, option)


def targets_of_two_classes(source: Source, option: str) -> Source:
    """Return targets (1 - y, y) of a single column y; two columns are returned unchanged."""
    source = as_column(source)
    if source.classes == 2:
        return source
    check_one_column(source, option)

    def change(block: Block) -> Block:
        y = block.values[:, 0]
        outside = ~((y >= 0) & (y <= 1))
        if outside.any():
            row = int(outside.argmax())
            remedy = "--labels takes classes as 0 and 1, or -1 and 1"
            raise InputError(f"the target {y[row]:g} is not from 0 to 1", remedy, block.place(row))
        return block.with_values(two_classes(block.values, "probabilities"))

    return source.map(change, classes=2, class_names=None)


def vectors_of_two_classes(source: Source) -> Source:
    """Return the directions (0, u) of a single column u, a change of the second logit."""
    source = as_column(source)
    check_one_column(source, "--jvp")
    return source.map(
        lambda block: block.with_values(two_classes(block.values, "logits")), classes=2
    )


def derivative_columns(source: Source, name: str) -> dict[str, Any]:
    """Return the fields of a result that holds derivatives with respect to the values' columns."""
    column = source.column
    if column is None:
        return {"column_names": source.class_names}
    names = column.names or ((name,) if source.class_names else None)
    shape = {"columns": 1, "flat": "rows" if column.is_flat else ""}
    return {"class_names": column.names, "column_names": names, "new_names": (name,), **shape}
