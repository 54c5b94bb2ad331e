"""Opens class weights, and puts columns in the order of the classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from softmax_cli.commands.inputs.values import opened_option, without_missing
from softmax_cli.core.loss.weights import WEIGHTS_ARE, are_weights
from softmax_cli.errors import InputError, ShapeError
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions


def in_order_of(source: Source, other: Source, option: str) -> Source:
    """Return the other with its columns in the order of the source's, if both have names."""
    wanted, names = source.class_names, other.class_names
    if not wanted or not names or wanted == names:
        return other
    if sorted(wanted) != sorted(names) or len(set(names)) < len(names):
        raise ShapeError(
            f"the columns of {other.place} are not named as those of {source.place}",
            "the same names are needed, in any order",
            option,
        )
    places = {name: place for place, name in enumerate(names)}
    order = [places[name] for name in wanted]
    return other.map(lambda block: block.with_values(block.values[:, order]), class_names=wanted)


def read_class_weights(
    token: str, source: Source, read: ReadOptions
) -> tuple[list[float], tuple[Path | str, ...]]:
    """Read the weights of the classes: a row, or a number a line; names decide the order."""
    option, classes = "--class-weights", source.classes
    plain = ReadOptions(
        key=read.key, header=read.header, header_of=read.header_of, na_values=read.na_values
    )
    weights: list[float] = []
    with (
        _of_numbers(option),
        opened_option(token, option, plain, ColumnRequest(role="weights")) as given,
    ):
        if given.classes == classes > 1:
            given = in_order_of(source, given, option)
        for block in without_missing(given, read).blocks():
            weights += block.values.reshape(-1).tolist()
            if len(weights) > classes:
                break
    if len(weights) != classes:
        held = f"more than {classes}" if len(weights) > classes else str(len(weights))
        problem = f"{held} weights for the {classes} classes of {source.place}"
        raise ShapeError(problem, "one for each class", option)
    shape = (*(given.leading or (classes // given.classes,)), given.classes)
    if max(shape) != classes:
        problem = f"weights of shape {shape} for the {classes} classes of {source.place}"
        raise ShapeError(problem, "give a row of numbers, or one number a line", option)
    wrong = ~are_weights(np.array(weights))
    if wrong.any():
        number = int(wrong.argmax())
        problem = f"the weight of class {number} is {weights[number]:g}"
        raise InputError(problem, WEIGHTS_ARE, option)
    return weights, given.paths


@contextmanager
def _of_numbers(option: str) -> Iterator[None]:
    """Let an error in the weights' file not name options that are those of the logits."""
    try:
        yield
    except InputError as error:
        if error.remedy.startswith("--id-columns"):
            error.remedy = "give a row of numbers, or one number a line"
            error.place = f"{option}: {error.place}"
        raise
