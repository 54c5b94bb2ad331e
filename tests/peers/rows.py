"""The rows that every tool wrote down, and what is right about them, to fifty digits."""

from __future__ import annotations

from pathlib import Path

import mpmath

FILES = Path(__file__).parent / "files"
NAMES = ("setosa", "versicolor", "virginica")
LOGITS = ((2.0, 1.0, 0.5), (0.25, 1.5, -1.0), (1.0, -0.125, 3.0), (-2.5, 0.75, 1.25), (0.5, 0.5, 0))
LABELS = (0, 1, 2, 0, 1)
IDS = (1003, 1001, 1008, 1002, 1010)
SPECIES = tuple(NAMES[label] for label in LABELS)


def softmax(row: tuple[float, ...]) -> list[float]:
    """Return the probabilities of a row of logits."""
    with mpmath.workdps(50):
        powers = [mpmath.exp(mpmath.mpf(logit)) for logit in row]
        return [float(power / mpmath.fsum(powers)) for power in powers]


def mean_loss(rows: list[tuple[float, ...]], labels: list[int]) -> float:
    """Return the mean of -log P(label) over rows of logits."""
    with mpmath.workdps(50):
        losses = [
            mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(logit) - row[label]) for logit in row))
            for row, label in zip(rows, labels, strict=True)
        ]
        return float(mpmath.fsum(losses) / len(losses))


PROBABILITIES = [softmax(row) for row in LOGITS]
LOSS = mean_loss(list(LOGITS), list(LABELS))
