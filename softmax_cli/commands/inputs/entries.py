"""Opens log-probabilities of labels, one for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from softmax_cli.commands.inputs.values import opened
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.entries import each_entry


def opened_entries(
    values: Sequence[str] | None, read: ReadOptions, place: str, tokens: Sequence[str | None]
) -> Source:
    """Open numbers as rows of two classes, the label first; a missing number has no label."""
    others = [token for token in tokens if token is not None]
    source = opened(values, read, ColumnRequest(entries=True, role="values"), place, others)
    try:
        entries = each_entry(source)
    except BaseException:
        source.close()
        raise

    def with_labels(block: Block) -> Block:
        given = block.values
        # The other class stands for all other labels; its number is never used.
        both = np.concatenate([given, np.zeros_like(given)], axis=-1)
        return replace(block, values=both, partner=np.where(np.isnan(given), np.nan, 0.0))

    return entries.map(with_labels, classes=2, class_names=None, table=None, leading=None)
