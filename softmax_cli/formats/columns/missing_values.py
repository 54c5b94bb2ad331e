"""Missing values: the texts and numbers that mean one, with those of --na-values."""

from __future__ import annotations

from collections.abc import Collection

from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.text.cell_kinds import MISSING
from softmax_cli.formats.text.numbers import is_number


def missing_texts(options: ReadOptions) -> Collection[str]:
    """Return the texts of missing values, with those of --na-values."""
    return MISSING.union(_na_values(options))


def missing_numbers(options: ReadOptions) -> list[float]:
    """Return the numbers that --na-values gives as missing values, in any spelling."""
    return [float(text) for text in _na_values(options) if is_number(text)]


def mask_na_values(source: Source, options: ReadOptions) -> Source:
    """Return the source with NaN for the numbers of --na-values."""
    import numpy as np

    from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest

    numbers = missing_numbers(options)
    if not numbers:
        return source
    stored = np.array(numbers)
    if BFLOAT16 in source.dtypes:
        stored = np.concatenate([stored, nearest(stored.astype(np.float32))])

    def mask(block: Block) -> Block:
        is_missing = np.isin(block.values, stored.astype(block.values.dtype))
        return block.with_values(np.where(is_missing, np.nan, block.values))

    return source.map(mask)


def _na_values(options: ReadOptions) -> list[str]:
    return [text.strip() for spec in options.na_values for text in spec.split(",")]
