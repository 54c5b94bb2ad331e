"""Sums of losses and weights, merged from parts."""

from __future__ import annotations

import json

import numpy as np

from softmax_cli.core.loss.reduction import ReducedLoss


def test_merged_losses_are_the_whole() -> None:
    rng = np.random.default_rng(0)
    losses, weights = rng.random(40), rng.random(40)
    whole, merged = ReducedLoss(), ReducedLoss()
    for rows in (slice(None), slice(0, 11), slice(11, 40)):
        part = whole if rows == slice(None) else ReducedLoss()
        part.count(len(losses[rows]), (weights[rows], np.zeros(len(weights[rows]))))
        part.losses.add(losses[rows])
        if part is not whole:
            state = json.loads(json.dumps(part.state(), allow_nan=False))
            merged.merge(ReducedLoss().from_state(state))
    assert merged.loss("mean") == whole.loss("mean") != 0
    assert merged.state() == whole.state()
