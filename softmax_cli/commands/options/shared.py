"""Options that several commands share: each flag with its help."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import Flag, Positional
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.registry import format_names

_READ, _WRITTEN = format_names(reads=True), format_names()


def _counted_threads(count: int | None) -> int | None:
    """Limit the threads of Polars, which may be imported later."""
    if count is not None:
        os.environ["POLARS_MAX_THREADS"] = str(count)
    return count


_input, _output = partial(Flag, panel="Input"), partial(Flag, panel="Output")

# By fields of ReadOptions and WriteOptions, which have the types and defaults.
FLAGS: dict[str, Flag] = {
    "input_format": _input(
        f"Format of the input: {', '.join(_READ)}. Default: from the suffix or the content.",
        "NAME",
        choices=_READ,
    ),
    "header": _input(
        "Whether the first line of every text table names the columns. Default: if it has a "
        "name and no number.",
        name="--header/--no-header",
        show_default=False,
    ),
    "header_of": _input(
        "Like --header, for one input: values, labels, targets, weights, p or q. Repeatable.",
        "INPUT=yes|no",
    ),
    "na_values": _input(
        "More texts that mean a missing value, separated by commas, besides an empty cell, NA, "
        "N/A, NaN, null, NULL, None, \\N and #N/A.",
        "TEXTS",
    ),
    "delimiter": _input("Separator of cells; 'tab' for a tab.", "CHAR"),
    "decimal": _input(
        "Decimal mark of text tables; with ',' cells are separated by ';' unless --delimiter "
        "says otherwise."
    ),
    "columns": _input(
        "The columns of classes: names, numbers from 1, ranges 2-11, patterns 'logit_*', "
        "separated by commas.",
        "COLUMNS",
    ),
    "id_columns": _input(
        "Columns that are not classes; text output keeps them as they are.", "COLUMNS"
    ),
    "binary": _input(
        "Take a single column as class 1 of two: a logit z as (0, z); with --from, a probability."
    ),
    "class_names": _input(
        "Names for classes that have none: 'a,b,c', or a file with a name on each line.", "NAMES"
    ),
    "class_prefix": _input(
        "Prefix to strip from column names, such as .pred_ in .pred_setosa. Repeatable.", "TEXT"
    ),
    "key": _input("Which array of an NPZ, safetensors or JSON file.", "NAME"),
    "axis": _input("The dimension of an array that holds the classes.", "N"),
    "dtype": _input(
        "Type of the result. Default: that of the input. bfloat16 is also how the raw "
        "bytes of an NPY file are read."
    ),
    "on_bad_row": _input(
        "What to do with rows that have no softmax: those with NaN or +inf, or all -inf."
    ),
    "format": _output(
        f"Format of the output: {', '.join(_WRITTEN)}. Default: from the suffix of -o; "
        "a table at a terminal, csv in a pipe.",
        "NAME",
        choices=_WRITTEN,
    ),
    "output": _output(
        "Write a file: .csv .tsv .txt .json .jsonl (also .gz .zst), .npy .npz .safetensors "
        ".parquet .arrow .feather; - is standard output.",
        "PATH",
        short="-o",
    ),
    "in_place": _output("Let -o replace an input file."),
    "no_sync": _output(
        "Leave it to the system when files reach the disk: faster, but a power failure soon "
        "after may damage them."
    ),
    "output_header": _output(
        "Write a header to CSV, TSV and text even if the input has no column names."
    ),
    "precision": _output(
        "Significant digits. Default: 6 in tables; elsewhere as many as the number has.",
        "N",
        min=1,
        max=17,
    ),
    "save": _output("Also write a picture of the table or explanation: .svg or .html.", "PATH"),
    "color": _output("Colour in tables."),
    "quiet": _output("Print only errors on standard error.", short="-q"),
    "no_progress": _output("Show no progress bar."),
    "threads": _output(
        "Number of threads. Default: the cores this process may use, 16 at most. The result is "
        "the same for any number.",
        "N",
        min=1,
        check=_counted_threads,
    ),
    "debug": _output("Show a traceback with an error."),
}


def _positive(temperature: float) -> float:
    if not 0 < temperature < math.inf:
        problem = f"temperature must be positive, got {temperature:g}"
        raise UsageError(problem, "give a finite number above 0", "--temperature")
    return temperature


Values = Annotated[
    list[str] | None,
    Positional(
        "[VALUES]...",
        help="Numbers (one vector), rows '1,2,3' or '[1,2,3]', files, quoted globs, or - for "
        "standard input.",
    ),
]
Temperature = Annotated[
    float, Flag("Divide the logits by T, a positive number.", "T", short="-t", check=_positive)
]
Explain = Annotated[bool, Flag("Show the working, step by step, on the first rows.")]
Base = Annotated[Literal["e", "2", "10"], Flag("Base of logarithms: nats, bits or digits.")]


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


def class_name(names: Sequence[str | int] | None) -> Callable[[int], str]:
    """Return a function from a class to its name, or its number, short enough for a line."""
    from softmax_cli.display.rich.names import cut_name

    return lambda place: cut_name(str(place if names is None else names[place]))
