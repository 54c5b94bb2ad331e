"""The option --explain, and which rows it explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import WriteOptions
from softmax_cli.errors import UsageError

Explain = Annotated[bool, Flag("Show the working, step by step, on the first rows.")]


def explanation(write: WriteOptions, shards: ShardOptions) -> WriteOptions:
    """Return the options with a format for explanations: a table unless JSON is asked for."""
    from softmax_cli.formats.registry import output_format

    if shards.output_dir is not None or shards.scheduler is not None:
        problem = "explains the first rows of one input"
        raise UsageError(problem, "leave out --output-dir and --scheduler", "--explain")
    is_standard_output = write.output in (None, "-")
    form = "txt" if write.format is None and is_standard_output else output_format(write).name
    if form == "txt" and write.format is None:
        return replace(write, format="table")
    if form not in ("table", "json"):
        place = "--format" if write.format is not None else str(write.output)
        problem = f"an explanation cannot be written as {form}"
        raise UsageError(problem, "a table (or a file .txt), or json", place)
    return write


def class_name(names: Sequence[str] | None) -> Callable[[int], str]:
    """Return a function from a class to its name, or its number, short enough for a line."""
    from softmax_cli.display.rich.names import cut_name

    return lambda place: cut_name(str(place if names is None else names[place]))
