"""Refuses options that only a table, or only text, can honour."""

from __future__ import annotations

from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions

GIVE_A_TABLE = "leave it out, or give a table, such as CSV, Parquet or JSON records"


def refuse_table_options(
    what: str, options: ReadOptions, request: ColumnRequest, remedy: str = GIVE_A_TABLE
) -> None:
    """Refuse options that only a table can honour; `what` is the input."""
    for option, given in (
        ("--columns", options.columns),
        ("--id-columns", options.id_columns),
        ("--append", request.every_column),
    ):
        if given:
            raise UsageError(f"there are no columns in {what}", remedy, option)
    if request.labels is not None:
        remedy = "give the labels with --labels"
        raise UsageError(f"there are no columns in {what}", remedy, "--label-column")
    refuse_text_options(what, options)


def refuse_text_options(what: str, options: ReadOptions) -> None:
    """Refuse options that only CSV and other text can honour."""
    if options.delimiter is not None:
        raise UsageError(f"there is no delimiter in {what}", "leave it out", "--delimiter")
    if options.header is not None:
        option = "--header" if options.header else "--no-header"
        raise UsageError(f"there is no header line in {what}", "leave it out", option)
