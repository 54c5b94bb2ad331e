"""Options that several commands share: each flag and its help stands here once.

The fields of ReadOptions and WriteOptions give the types and defaults; a command takes the whole
group as one parameter. A group of options that only commands know has each flag at its field.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, Literal, get_origin, get_type_hints

import typer

from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.registry import format_names

__all__ = [
    "Base",
    "ReadOptions",
    "Temperature",
    "Values",
    "WriteOptions",
    "completed",
    "takes_groups",
]


def completed(choices: list[str]) -> Callable[[str], list[str]]:
    """Return what the shell asks for the choices that go on from what was typed."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


_READ, _TEXT = format_names(reads=True), format_names(text=True)


def _counted_threads(count: int | None) -> int | None:
    """Let Polars, if it is imported later, use as many."""
    if count is not None:
        os.environ["POLARS_MAX_THREADS"] = str(count)
    return count


FLAGS: dict[str, Any] = {
    "input_format": typer.Option(
        "--input-format",
        metavar="NAME",
        help=f"Format of the input: {', '.join(_READ)}. Default: from the suffix or the content.",
        autocompletion=completed(_READ),
    ),
    "header": typer.Option(
        "--header/--no-header",
        show_default=False,
        help="Whether the first line of every text table names the columns. Default: if a cell of "
        "it is a name and none is a number.",
    ),
    "header_of": typer.Option(
        "--header-of",
        metavar="INPUT=yes|no",
        help="The same for one input: values, labels, targets, weights, p or q. Repeatable.",
    ),
    "na_values": typer.Option(
        "--na-values",
        metavar="TEXTS",
        help="Further texts of a missing value, with commas between. Always: an empty cell, NA, "
        "N/A, NaN, null, NULL, None, \\N and #N/A.",
    ),
    "delimiter": typer.Option(
        "--delimiter", metavar="CHAR", help="What separates cells, 'tab' for a tab."
    ),
    "columns": typer.Option(
        "--columns",
        metavar="COLUMNS",
        help="The columns of classes: names, numbers from 1, ranges 2-11, patterns 'logit_*', "
        "with commas between.",
    ),
    "id_columns": typer.Option(
        "--id-columns",
        metavar="COLUMNS",
        help="Columns that are no classes; in text they pass through untouched.",
    ),
    "key": typer.Option(
        "--key", metavar="NAME", help="Which array of an NPZ, safetensors or JSON file."
    ),
    "axis": typer.Option(
        "--axis", metavar="N", help="The dimension of an array that is the classes."
    ),
    "dtype": typer.Option(
        "--dtype",
        help="Type of the result. Default: that of the input. bfloat16 also says what the raw "
        "bytes of an NPY file are.",
    ),
    "on_bad_row": typer.Option(
        "--on-bad-row",
        help="What to do with rows that have no softmax: a NaN, a +inf, or nothing but -inf.",
    ),
    "format": typer.Option(
        "--format",
        metavar="NAME",
        help=f"Format of the output: {', '.join(_TEXT)}. Default: from the suffix of -o; "
        "a table at a terminal, csv in a pipe.",
        autocompletion=completed(_TEXT),
    ),
    "output": typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Write a file: .csv .tsv .txt .json .jsonl (also .gz .zst), .npy .npz .safetensors "
        ".parquet .arrow .feather; - is standard output.",
    ),
    "in_place": typer.Option("--in-place", help="Let -o replace an input file."),
    "precision": typer.Option(
        "--precision",
        metavar="N",
        min=1,
        max=17,
        help="Significant digits. Default: 6 in tables; elsewhere as many as the number has.",
    ),
    "save": typer.Option(
        "--save",
        metavar="PATH",
        help="Write a picture of the table or explanation as well: .svg or .html.",
    ),
    "color": typer.Option("--color", help="Colour in tables."),
    "quiet": typer.Option("--quiet", "-q", help="Say nothing but errors on standard error."),
    "no_progress": typer.Option("--no-progress", help="Show no progress bar."),
    "threads": typer.Option(
        "--threads",
        metavar="N",
        min=1,
        callback=_counted_threads,
        help="How many threads work. Default: the cores that this process may use. The result is "
        "the same for any number.",
    ),
    "debug": typer.Option("--debug", help="Show a traceback with an error."),
}


def _positive(temperature: float) -> float:
    if not 0 < temperature < math.inf:
        raise UsageError(
            f"{temperature:g} is no temperature", "give a positive number", "--temperature"
        )
    return temperature


Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[VALUES]...",
        show_default=False,
        help="Numbers (one vector), rows '1,2,3' or '[1,2,3]', files, quoted globs, or - for "
        "standard input.",
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature",
        "-t",
        metavar="T",
        callback=_positive,
        help="Divides the logits; positive.",
    ),
]
Base = Annotated[
    Literal["e", "2", "10"],
    typer.Option("--base", help="Base of logarithms: nats, bits or digits."),
]


def takes_groups(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take each dataclass parameter as the options that are its fields."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if is_dataclass(hint) and isinstance(hint, type):
            groups[parameter.name] = hint
            parameters.extend(_options(hint))
        else:
            parameters.append(parameter.replace(annotation=hint, kind=parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def grouped(**given: Any) -> Any:
        built = {
            name: group(**{option.name: given.pop(option.name) for option in fields(group)})
            for name, group in groups.items()
        }
        return command(**given, **built)

    grouped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    grouped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return grouped


def _options(group: type[Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for option in fields(group):
        hint = hints[option.name]
        has_flag = get_origin(hint) is Annotated
        yield inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(option),
            annotation=hint if has_flag else Annotated[hint, FLAGS[option.name]],
        )


def _default(option: Field[Any]) -> Any:
    return [] if option.default is MISSING else option.default
