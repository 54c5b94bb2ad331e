"""Opens the inputs of a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.exact.bfloat16 import dtype_named, in_memory
from softmax_cli.errors import (
    InputError,
    NothingGivenError,
    ShapeError,
    SoftmaxCliError,
    UsageError,
    did_you_mean,
    shorten,
)
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.file_key import file_of, names_input
from softmax_cli.formats.opening.source import open_source
from softmax_cli.formats.registry import suffix_format
from softmax_cli.storage.filesystem import path_of

if TYPE_CHECKING:
    from pathlib import Path

    from softmax_cli.core.loss.row_losses import Kind


def opened(
    values: Sequence[str] | None,
    read: ReadOptions,
    request: ColumnRequest = ColumnRequest(),
    place: str = "arguments",
    others: Sequence[str] = (),
    *,
    kind: Kind = "logits",
    partner_is_named: bool = False,
) -> Source:
    """Open the values of a command line, or standard input if there are none.

    Errors in typed numbers name `place`. `others` are the command's other inputs, which --header
    may be meant for; --class-prefix may be meant for one of them too if `partner_is_named`. A
    column of --binary is of the given kind.

    Raises:
        NothingGivenError: there are no values and standard input is a terminal.
    """
    if read.axis != -1 and read.on_bad_row == "skip":
        problem = "an array without some of its rows has no shape along another axis"
        raise UsageError(problem, "use nan or zero", "--on-bad-row")
    if read.axis != -1 and read.binary:
        raise UsageError("a single column has no other axis", "leave it out", "--axis")
    if not values and sys.stdin is not None and sys.stdin.isatty():
        raise NothingGivenError
    tokens = values or ["-"]
    is_for_others = read.header is not None and any(map(_is_text_table, others))
    if is_for_others and not any(map(_is_text_table, tokens)):
        read = replace(read, header=None)
    read = with_header_of("values", read)
    request = request._replace(flat=read.binary)
    source = _typed_as_vector(open_source(tokens, read, request, place=place), request, place)
    if not (read.binary or read.class_names is not None or read.class_prefix):
        return _retyped(source, read)
    from softmax_cli.commands.inputs.class_names import with_names, without_prefix

    try:
        source = without_prefix(source, read.class_prefix, is_needed=not partner_is_named)
        if read.binary:
            from softmax_cli.commands.inputs.binary import values_of_two_classes

            source = values_of_two_classes(source, kind)
        return _retyped(with_names(source, read.class_names), read)
    except BaseException:
        source.close()
        raise


def opened_option(
    token: str, option: str, read: ReadOptions, request: ColumnRequest = ColumnRequest()
) -> Source:
    """Open the value of an option: rows typed inline, or a file."""
    if not names_input(token):
        chosen = ReadOptions(dtype=read.dtype, na_values=read.na_values)
    else:
        form = suffix_format(file_of(token))
        by_name = form is not None and form.holds == "arrays"
        header = read.header if _is_text_table(token) else None
        chosen = replace(read, key=read.key if by_name else None, axis=-1, header=header)
        if option in _ROLES:
            chosen = with_header_of(_ROLES[option], chosen)
    source = open_source([token], chosen, request, place=option)
    source = _typed_as_vector(source, request, option)
    if read.class_prefix:
        from softmax_cli.commands.inputs.class_names import without_prefix

        source = without_prefix(source, read.class_prefix)
    if read.axis != -1 and source.paths and source.leading:
        from softmax_cli.formats.arrays.array import along_axis

        source = along_axis(source, read.axis)
    return _retyped(source, read)


def opened_partner(
    token: str,
    option: str,
    read: ReadOptions,
    classes: int,
    request: ColumnRequest = ColumnRequest(),
) -> Source:
    """Open a second input; options that choose columns apply if they leave `classes` columns."""
    plain = replace(read, columns=[], id_columns=[], delimiter=None, input_format=None)
    if plain == read or token == "-" or not path_of(file_of(token)).is_file():
        return opened_option(token, option, plain, request)
    with suppress(SoftmaxCliError):
        source = opened_option(token, option, read, request)
        if source.classes == classes:
            return source
        source.close()
    return opened_option(token, option, plain, request)


def without_missing(source: Source, read: ReadOptions) -> Source:
    """Return the source; its first missing value raises an error that names the cell."""
    table = source.table
    # In an array, NaN counts as missing only with --na-values.
    if table is None and not read.na_values:
        return source

    def checked(block: Block) -> Block:
        missing = (block.values != block.values).nonzero()
        if len(missing[0]):
            row, position = block.place(int(missing[0][0])), int(missing[1][0])
            place = f"{row}, class {position}" if table is None else table.cell(row, position)
            raise InputError("is missing or NaN", "every cell needs a number", place)
        return block

    return source.map(checked)


def in_order_of(source: Source, other: Source, option: str) -> Source:
    """Return the other source with its columns in the order of the first, if both have names."""
    wanted, names = source.class_names, other.class_names
    if not wanted or not names or wanted == names:
        return other
    if sorted(wanted) != sorted(names) or len(set(names)) < len(names):
        from softmax_cli.formats.columns.name_prefixes import prefix_remedy

        problem = f"the columns of {other.place} are not named as those of {source.place}"
        remedy = "both need the same names, in any order"
        if odd := [name for name in names if name not in wanted]:
            problem += f": {shorten(odd[0])!r} is not one of them"
            remedy = did_you_mean(odd[0], wanted, remedy)
        remedy = prefix_remedy(names, wanted, prefix_remedy(wanted, names, remedy))
        raise ShapeError(problem, remedy, option)
    positions = {name: position for position, name in enumerate(names)}
    order = [positions[name] for name in wanted]
    return other.map(lambda block: block.with_values(block.values[:, order]), class_names=wanted)


def read_class_weights(
    token: str, source: Source, read: ReadOptions, label_base: int
) -> tuple[list[float], tuple[Path | str, ...]]:
    """Return the weights of the classes, in the order of their names, and the files read."""
    from softmax_cli.core.loss.weights import WEIGHTS_ARE, are_weights

    option, classes = "--class-weights", source.classes
    remedy = "give a number for each class, in a row or one a line"
    plain = ReadOptions(
        key=read.key,
        decimal=read.decimal,
        header=read.header,
        header_of=read.header_of,
        na_values=read.na_values,
        class_prefix=read.class_prefix,
    )
    weights: list[float] = []
    try:
        with opened_option(token, option, plain, ColumnRequest(role="weights")) as given:
            if given.classes == classes > 1:
                given = in_order_of(source, given, option)
            for block in without_missing(given, read).blocks():
                weights += block.values.reshape(-1).tolist()
                if len(weights) > classes:
                    break
    except InputError as error:
        if error.remedy.startswith("--id-columns"):
            # The logits have this option, class weights do not.
            error.remedy, error.place = remedy, f"{option}: {error.place}"
        raise
    shape = (*(given.leading or (len(weights) // given.classes,)), given.classes)
    if len(weights) != classes or max(shape) != classes:
        held = f"more than {classes}" if len(weights) > classes else str(len(weights))
        of_shape = f" of shape {shape}" if len(weights) == classes else ""
        problem = f"{held} weights{of_shape} for the {classes} classes of {source.place}"
        raise ShapeError(problem, remedy, option)
    wrong = ~are_weights(np.array(weights))
    if wrong.any():
        number = int(wrong.argmax())
        problem = f"the weight of class {number + label_base} is {weights[number]:g}"
        raise InputError(problem, WEIGHTS_ARE, option)
    return weights, given.paths


ROLES = ("values", "labels", "targets", "weights", "p", "q")
_ROLES = {"--targets": "targets", "--class-weights": "weights", "--p": "p", "--q": "q"}


def with_header_of(role: str, read: ReadOptions) -> ReadOptions:
    """Return the options with the header that --header-of gives this input, if any."""
    header = read.header
    for given in read.header_of:
        name, _, answer = given.partition("=")
        if name not in ROLES or answer not in ("yes", "no"):
            problem = f"{given!r} does not say which input has a header"
            remedy = f"write INPUT=yes or INPUT=no, with INPUT one of {', '.join(ROLES)}"
            raise UsageError(problem, remedy, "--header-of")
        if name == role:
            header = answer == "yes"
    return replace(read, header=header)


def _typed_as_vector(source: Source, request: ColumnRequest, place: str) -> Source:
    """Return numbers typed in an option, which has no blanks, as an array of one dimension."""
    is_typed = place.startswith("--") and not source.paths
    if request.flat and is_typed and source.rows == 1:
        return replace(source, leading=())
    return source


def _is_text_table(token: str) -> bool:
    """Return true for a file with the suffix of CSV, TSV or text, or an unknown one."""
    form = suffix_format(file_of(token))
    return names_input(token) and (form is None or form.name in ("csv", "tsv", "txt"))


def _retyped(source: Source, read: ReadOptions) -> Source:
    """Return the source with the requested dtype; values are narrowed only in the result."""
    if read.dtype is None:
        return source
    dtype = dtype_named(read.dtype)

    def widen(block: Block) -> Block:
        wide = np.promote_types(in_memory(dtype), block.values.dtype)
        return block.with_values(block.values.astype(wide, copy=False))

    return source.map(widen, dtype=dtype, stored=source.dtypes[0])
