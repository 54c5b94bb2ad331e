"""Refuses a gradient file that was given as logits: the built-in derivatives would always pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.bfloat16 import limits_of, nearest
from softmax_cli.errors import InputError, shorten, shorten_token
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.registry import suffix_format
from softmax_cli.storage.input import STANDARD_INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Words that contain "grad" and have nothing to do with gradients.
_INNOCENT = re.compile(r"gra(?:de(?:[drs]|rs|book)?|ding|dual(?:ly)?|duat[a-z]+|dations?)(?![a-z])")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# dlogits and dz, and with the loss before them: dL_dz, dloss-dlogits.
_DERIVATIVE = re.compile(
    r"(?<![a-z])d(?:logits?|z)(?![a-z])"
    r"|(?<![a-z0-9])d[^a-z0-9](?:logits?|z)(?![a-z])"
    r"|(?<![a-z])d(?:l|loss|j|e|xent|ce)[^a-z0-9]?d[^a-z0-9]?(?:logits?|z|a|x)(?![a-z])"
)
# A row of a gradient in float32 sums to 0 to within a few ULP of its largest entry, and the error
# grows with the number of classes; text often has six digits.
_ULP = 4
_FLOAT32 = 2.0**-23
_TEXT = 1e-5
# The machine epsilon of each 16-bit dtype, and how to round to it.
_HALVES: tuple[tuple[float, Callable[[NDArray[np.float64]], NDArray[Any]]], ...] = (
    (2.0**-10, lambda wide: wide.astype(np.float16)),
    (2.0**-7, nearest),
)
# A number that nine digits do not distinguish from its 16-bit rounding.
_SAME = 1e-8


def is_named_like_a_gradient(name: str) -> bool:
    """Return whether the name of a file or an array says that it holds a gradient.

    >>> [is_named_like_a_gradient(name) for name in ("G_grad_3.npy", "dZ.npy", "dL_dz.csv")]
    [True, True, True]
    >>> [is_named_like_a_gradient(name) for name in ("graded_logits.csv", "undergraduate.csv")]
    [False, False]
    """
    words = _WORD_BREAK.sub("_", name).lower()
    derivative = any(_DERIVATIVE.search(text) for text in (name.lower(), words))
    return derivative or "grad" in _INNOCENT.sub("_", words)


def refuse_gradients(blocks: Iterable[Block], source: Source, key: str | None) -> Iterator[Block]:
    """Yield the blocks; raise InputError if the source looks like a gradient.

    A file, its array `key` or all its columns are named like one, or all rows of a file sum to 0.
    """
    # Folders do not count: many are named after a task.
    for path in map(str, source.paths):
        if is_named_like_a_gradient(re.split(r"[/\\]", path)[-1]):
            raise _refusal("is named like a gradient", path)
        if key is not None and is_named_like_a_gradient(key):
            raise _refusal(f"its array {shorten(repr(key))} is named like a gradient", path)
    if source.class_names and all(map(is_named_like_a_gradient, source.class_names)):
        raise _refusal("its columns are named like a gradient", source.place)
    epsilons: dict[str, float] = {}
    facts: dict[str, list[NDArray[np.float64]]] = {}
    paths = sorted(map(str, source.paths), key=len, reverse=True)
    for block in blocks:
        if len(block.values):
            # The rows of a block are from one file.
            first = block.place(0)
            path = next((path for path in paths if first.startswith(path)), source.place)
            epsilons.setdefault(path, _epsilon(path, block, source))
            facts.setdefault(path, []).append(_row_facts(block.values))
        yield block
    for path, found in facts.items():
        if _all_sum_to_0(np.concatenate(found), epsilons[path], source.classes):
            raise _refusal("its rows all sum to 0, as those of a gradient do", path)


def _epsilon(path: str, block: Block, source: Source) -> float:
    """Return the rounding of a file's numbers, float32 or coarser: float64 may store float32."""
    stored = [limits_of(dtype)[0] for dtype in (source.dtype, block.values.dtype)]
    form = suffix_format(path)
    is_text = form.text if form is not None else block.values.dtype == np.float64
    return max(*stored, _TEXT if is_text else _FLOAT32)


def _row_facts(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (rows, 5): sum, largest size, whether one entry at most is negative, fits 16 bits."""
    wide = values.astype(np.float64)
    sizes = np.abs(wide)
    with np.errstate(over="ignore", invalid="ignore"):
        halves = [np.abs(wide - rounded(wide)) <= _SAME * sizes for _, rounded in _HALVES]
        sums = wide.sum(axis=-1)
    facts = [sums, sizes.max(axis=-1), (wide < 0).sum(axis=-1) <= 1]
    return np.stack([*facts, *(half.all(axis=-1) for half in halves)], axis=-1)


def _all_sum_to_0(facts: NDArray[np.float64], eps: float, classes: int) -> bool:
    """Return whether every row sums to 0 to within the rounding of the file's largest row.

    P - Y is rounded as P is, however small the difference. Gradients smaller than 1 everywhere
    keep the rounding of their terms, which are at most 1.
    """
    sums, sizes, few_negative, *halves = facts.T
    # A masked logit is infinite; a gradient is finite.
    if not np.isfinite(sizes).all():
        return False
    # What was computed in a 16-bit dtype and stored in a wider one has the larger rounding.
    wider = [half for (half, _), fits in zip(_HALVES, halves, strict=True) if fits.all()]
    scale = np.maximum(sizes, min(sizes.max(), 1.0))
    allowed = max([eps, *wider]) * (_ULP + np.sqrt(classes)) * scale
    # If the label is almost certain, P - 1 has the rounding of 1 alone.
    allowed = np.maximum(allowed, np.where(few_negative, _ULP * eps, 0))
    return bool((np.abs(sums) <= allowed).all())


def _refusal(problem: str, path: str) -> InputError:
    given = "-" if path == STANDARD_INPUT else shorten_token(path)
    remedy = f"check a gradient with --logits Z --labels L --grad {given}, or add --of all"
    problem = f"{problem}, and would be taken for logits"
    return InputError(problem, f"{remedy} if it holds logits", path)
