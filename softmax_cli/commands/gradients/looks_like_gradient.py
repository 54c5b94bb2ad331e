"""Refuses a gradient file that would be taken for logits: the built-ins would pass in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.bfloat16 import limits_of, nearest
from softmax_cli.errors import InputError, shorten, shorten_token
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.registry import suffix_format
from softmax_cli.storage.input import STANDARD_INPUT

# Words that hold "grad" and have nothing to do with gradients.
_INNOCENT = re.compile(r"gra(?:de(?:[drs]|rs|book)?|ding|dual(?:ly)?|duat[a-z]+|dations?)(?![a-z])")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# dlogits and dz, and with the loss before them: dL_dz, dloss-dlogits.
_DERIVATIVE = re.compile(
    r"(?<![a-z])d(?:logits?|z)(?![a-z])"
    r"|(?<![a-z0-9])d[^a-z0-9](?:logits?|z)(?![a-z])"
    r"|(?<![a-z])d(?:l|loss|j|e|xent|ce)[^a-z0-9]?d[^a-z0-9]?(?:logits?|z|a|x)(?![a-z])"
)
# A row of a gradient in float32 sums to 0 to within a few units of its largest entry, and its
# rounding grows with the classes; text often has six digits.
_UNITS = 4
_FLOAT32 = 2.0**-23
_TEXT = 1e-5
# A number of a narrow type, in nine digits.
_SAME = 1e-8
_NARROW: tuple[tuple[float, Callable[[NDArray[np.float64]], NDArray[Any]]], ...] = (
    (2.0**-10, lambda wide: wide.astype(np.float16)),
    (2.0**-7, nearest),
)


def is_named_like_a_gradient(name: str) -> bool:
    """Tell whether the name of a file or an array says that it holds a gradient.

    >>> [is_named_like_a_gradient(name) for name in ("G_grad_3.npy", "dZ.npy", "dL_dz.csv")]
    [True, True, True]
    >>> [is_named_like_a_gradient(name) for name in ("graded_logits.csv", "undergraduate.csv")]
    [False, False]
    """
    words = _WORD_BREAK.sub("_", name).lower()
    derivative = any(_DERIVATIVE.search(text) for text in (name.lower(), words))
    return derivative or "grad" in _INNOCENT.sub("_", words)


def refuse_gradients(blocks: Iterable[Block], source: Source, key: str | None) -> Iterator[Block]:
    """Yield the blocks of a source of points, unless they look like a gradient.

    A file is named like one, or all its rows sum to 0.
    """
    _refuse_names(source, key)
    return _refuse_rows(blocks, source)


def _refuse_names(source: Source, key: str | None) -> None:
    """Refuse files that are named like gradients; so may be an array of one, or all its columns.

    Folders do not count: many are named after what is done in them.
    """
    for path in map(str, source.paths):
        name = re.split(r"[/\\]", path)[-1]
        if is_named_like_a_gradient(name):
            raise _refused("is named like a gradient", path)
        if key is not None and is_named_like_a_gradient(key):
            raise _refused(f"its array {shorten(repr(key))} is named like a gradient", path)
    columns = source.class_names
    if columns and all(map(is_named_like_a_gradient, columns)):
        raise _refused("its columns are named like a gradient", source.place)


def _refuse_rows(blocks: Iterable[Block], source: Source) -> Iterator[Block]:
    """Yield the blocks; refuse a file of them whose rows all sum to 0, once all are read."""
    files: dict[str, _Rows] = {}
    paths = sorted(map(str, source.paths), key=len, reverse=True)
    for block in blocks:
        if len(block.values):
            # A block holds rows of one file.
            first = block.place(0)
            path = next((path for path in paths if first.startswith(path)), source.place)
            files.setdefault(path, _rows_of(path, block, source)).add(block.values)
        yield block
    for path, rows in files.items():
        if rows.are_of_a_gradient():
            problem = "its rows all sum to 0, as those of a gradient do"
            raise _refused(problem, path)


@dataclass
class _Rows:
    """What the rows of a file sum to, and how large they are.

    unit    the relative rounding of its numbers
    narrow  which of the narrow types hold all of them
    """

    unit: float
    classes: int = 1
    sums: list[NDArray[np.float64]] = field(default_factory=list)
    largest: float = 0.0
    may_be: bool = True
    narrow: list[bool] = field(default_factory=lambda: [True] * len(_NARROW))

    def add(self, values: NDArray[np.floating]) -> None:
        """Add rows; what is not finite is of no gradient, a masked logit for instance."""
        wide = values.astype(np.float64)
        self.may_be = self.may_be and bool(np.isfinite(wide).all())
        if not self.may_be:
            return
        self.classes = wide.shape[-1]
        sizes = np.abs(wide).max(axis=-1)
        self.largest = max(self.largest, float(sizes.max()))
        with np.errstate(over="ignore"):
            apart = [np.abs(wide - rounded(wide)) for _, rounded in _NARROW]
        close = _SAME * np.abs(wide)
        self.narrow = [
            so_far and bool((one <= close).all())
            for so_far, one in zip(self.narrow, apart, strict=True)
        ]
        # Where a label is almost certain, P - 1 keeps the rounding of 1 alone.
        certain = (wide < 0).sum(axis=-1) <= 1
        with np.errstate(over="ignore"):
            self.sums.append(np.stack([wide.sum(axis=-1), sizes, certain], axis=-1))

    def are_of_a_gradient(self) -> bool:
        """Tell whether every row sums to 0 to within rounding.

        The rounding is that of the file's largest row: P - Y is rounded as P is, however little
        of it is left. Gradients that are smaller than 1 all over keep what was lost at 1.
        """
        if not self.may_be or not self.sums:
            return False
        sums, sizes, certain = np.concatenate(self.sums).T
        # What was computed in a narrow type and stored in a wide one is known by its numbers.
        computed = [eps for (eps, _), so in zip(_NARROW, self.narrow, strict=True) if so]
        unit = max([self.unit, *computed])
        scale = np.maximum(sizes, min(self.largest, 1.0))
        allowed = unit * (_UNITS + np.sqrt(self.classes)) * scale
        allowed = np.maximum(allowed, np.where(certain, _UNITS * self.unit, 0))
        return bool((np.abs(sums) <= allowed).all())


def _rows_of(path: str, block: Block, source: Source) -> _Rows:
    """Return what a file's rows are added to; its numbers are rounded at least as float32 is.

    What is stored as float64 was often computed in float32.
    """
    held = [limits_of(dtype)[0] for dtype in (source.dtype, block.values.dtype)]
    form = suffix_format(path)
    is_text = form.text if form is not None else block.values.dtype == np.float64
    return _Rows(max(*held, _TEXT if is_text else _FLOAT32))


def _refused(problem: str, path: str) -> InputError:
    given = "-" if path == STANDARD_INPUT else shorten_token(path)
    return InputError(
        f"{problem}, and would be taken for logits",
        f"check a gradient with --logits Z --labels L --grad {given}, or add --of all if it holds "
        "logits",
        path,
    )


def told_rows(rows: int, source: Source, *, some: bool) -> str:
    """Return where the built-in derivatives are checked, as a report says it.

    some  whether rows may have been left out
    """
    count = f"{rows} row{'s' * (rows != 1)}"
    return f"{count if some else f'the {count}'} of {source.place}, taken as logits"
