"""Opens what a command was given to work on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import typer

from softmax_cli.errors import SoftmaxCliError, UsageError
from softmax_cli.formats.blocks import Block, Source
from softmax_cli.formats.options import Keep, ReadOptions


def opened(
    command: str,
    values: Sequence[str] | None,
    read: ReadOptions,
    keep: Keep = Keep(),
    place: str = "arguments",
) -> Source:
    """Open the values of a command line; without any, standard input, or the command's help.

    Errors in typed numbers name `place`. A person at a terminal who typed nothing is shown the
    help, and the program ends with 2.
    """
    from softmax_cli.formats import open_source

    if read.axis != -1 and read.on_bad_row == "skip":
        raise UsageError(
            "an array without some of its rows has no shape along another axis",
            "use nan or zero",
            "--on-bad-row",
        )
    if not values and sys.stdin is not None and sys.stdin.isatty():
        from softmax_cli.commands import show_help

        raise typer.Exit(show_help(command))
    return _retyped(open_source(values or ["-"], read, keep, place=place), read)


def opened_option(token: str, option: str, read: ReadOptions) -> Source:
    """Open the value of an option as the values are opened: rows typed inline, or a file."""
    from softmax_cli.formats import open_source, suffix_format

    form = suffix_format(token)
    by_name = form is not None and form.keyed
    chosen = replace(read, key=read.key if by_name else None, axis=-1)
    if not _is_file(token):
        chosen = ReadOptions(dtype=read.dtype)
    source = open_source([token], chosen, place=option)
    if read.axis != -1 and source.paths and source.leading:
        from softmax_cli.formats.array import along_axis

        source = along_axis(source, read.axis)
    return _retyped(source, read)


def opened_partner(token: str, option: str, read: ReadOptions, classes: int) -> Source:
    """Open a second input, whose columns may be named as those of the values are, or not at all.

    The options that choose columns apply if they leave as many classes as the values have.
    """
    plain = replace(read, columns=[], id_columns=[], header=None, delimiter=None, input_format=None)
    if plain == read or not _is_file(token):
        return opened_option(token, option, plain)
    with suppress(SoftmaxCliError):
        source = opened_option(token, option, read)
        if source.classes == classes:
            return source
        source.close()
    return opened_option(token, option, plain)


def _is_file(token: str) -> bool:
    from softmax_cli.formats.locations import is_file

    return token != "-" and is_file(token)


def _retyped(source: Source, read: ReadOptions) -> Source:
    """Return the source with the dtype that was asked for; never narrowed before the result."""
    if read.dtype is None:
        return source
    import numpy as np

    from softmax_cli.bfloat16 import dtype_named, in_memory

    dtype = dtype_named(read.dtype)

    def widened(block: Block) -> Block:
        wide = np.promote_types(in_memory(dtype), block.values.dtype)
        return block.with_values(block.values.astype(wide, copy=False))

    stored = source.dtype if source.stored is None else source.stored
    return source.changed(widened, dtype=dtype, stored=stored)


def labelled(source: Source, ignored: Sequence[str] = ()) -> Source:
    """Return the source with the class numbers of its label column beside its rows.

    A label that is ignored is NaN.
    """
    import numpy as np

    from softmax_cli.formats.class_names import Names

    names = Names(source.class_names, tuple(ignored))

    def numbered(block: Block) -> Block:
        places = (block.place(row) for row in range(len(block.values)))
        labels = list(zip(block.labels or (), places, strict=True))
        return replace(block, partner=np.array(names.numbers(labels))[:, None])

    return source.changed(numbered)
