"""Options that several commands share: each flag with its help.

Types and defaults are those of the fields of ReadOptions and WriteOptions, which a command takes
as one parameter each.
"""

from __future__ import annotations

import math
import os
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import Flag, Positional
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.registry import format_names

__all__ = ["FLAGS", "Base", "ReadOptions", "Temperature", "Values", "WriteOptions"]

_READ, _TEXT = format_names(reads=True), format_names(text=True)


def _counted_threads(count: int | None) -> int | None:
    """Limit the threads of Polars, which may be imported later."""
    if count is not None:
        os.environ["POLARS_MAX_THREADS"] = str(count)
    return count


_input, _output = partial(Flag, panel="Input"), partial(Flag, panel="Output")

FLAGS: dict[str, Flag] = {
    "input_format": _input(
        "--input-format",
        metavar="NAME",
        help=f"Format of the input: {', '.join(_READ)}. Default: from the suffix or the content.",
        choices=_READ,
    ),
    "header": _input(
        "--header/--no-header",
        show_default=False,
        help="Whether the first line of every text table names the columns. Default: if it has a "
        "name and no number.",
    ),
    "header_of": _input(
        "--header-of",
        metavar="INPUT=yes|no",
        help="The same for one input: values, labels, targets, weights, p or q. Repeatable.",
    ),
    "na_values": _input(
        "--na-values",
        metavar="TEXTS",
        help="More texts of a missing value, separated by commas. Always: an empty cell, NA, "
        "N/A, NaN, null, NULL, None, \\N and #N/A.",
    ),
    "delimiter": _input("--delimiter", metavar="CHAR", help="Separator of cells; 'tab' for a tab."),
    "columns": _input(
        "--columns",
        metavar="COLUMNS",
        help="The columns of classes: names, numbers from 1, ranges 2-11, patterns 'logit_*', "
        "separated by commas.",
    ),
    "id_columns": _input(
        "--id-columns",
        metavar="COLUMNS",
        help="Columns that are not classes; text output keeps them as they are.",
    ),
    "key": _input("--key", metavar="NAME", help="Which array of an NPZ, safetensors or JSON file."),
    "axis": _input("--axis", metavar="N", help="The dimension of an array that holds the classes."),
    "dtype": _input(
        "--dtype",
        help="Type of the result. Default: that of the input. bfloat16 also says what the raw "
        "bytes of an NPY file are.",
    ),
    "on_bad_row": _input(
        "--on-bad-row",
        help="What to do with rows without a softmax: with a NaN or +inf, or all -inf.",
    ),
    "format": _output(
        "--format",
        metavar="NAME",
        help=f"Format of the output: {', '.join(_TEXT)}. Default: from the suffix of -o; "
        "a table at a terminal, csv in a pipe.",
        choices=_TEXT,
    ),
    "output": _output(
        "--output",
        "-o",
        metavar="PATH",
        help="Write a file: .csv .tsv .txt .json .jsonl (also .gz .zst), .npy .npz .safetensors "
        ".parquet .arrow .feather; - is standard output.",
    ),
    "in_place": _output("--in-place", help="Let -o replace an input file."),
    "precision": _output(
        "--precision",
        metavar="N",
        min=1,
        max=17,
        help="Significant digits. Default: 6 in tables; elsewhere as many as the number has.",
    ),
    "save": _output(
        "--save",
        metavar="PATH",
        help="Write a picture of the table or explanation as well: .svg or .html.",
    ),
    "color": _output("--color", help="Colour in tables."),
    "quiet": _output("--quiet", "-q", help="Print only errors on standard error."),
    "no_progress": _output("--no-progress", help="Show no progress bar."),
    "threads": _output(
        "--threads",
        metavar="N",
        min=1,
        check=_counted_threads,
        help="Number of threads. Default: the cores this process may use. The result is the same "
        "for any number.",
    ),
    "debug": _output("--debug", help="Show a traceback with an error."),
}


def _positive(temperature: float) -> float:
    if not 0 < temperature < math.inf:
        problem = f"must be positive and finite, got {temperature:g}"
        raise UsageError(problem, "give a positive number", "--temperature")
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
    float,
    Flag("--temperature", "-t", metavar="T", check=_positive, help="Divides the logits; positive."),
]
Base = Annotated[
    Literal["e", "2", "10"], Flag("--base", help="Base of logarithms: nats, bits or digits.")
]
