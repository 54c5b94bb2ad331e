"""Inputs of xent and its reports, for the tests of losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.running import Outcome, run

_DRAW = np.random.default_rng(21)
LOGITS = _DRAW.normal(0, 2, (60, 4))
LABELS = np.where(_DRAW.random(60) < 0.7, LOGITS.argmax(-1), _DRAW.integers(0, 4, 60))
NAMES = "north,east,south,west"


def save_inputs() -> None:
    """Write the logits, labels and one-hot targets as NPY, and all in a table with ids."""
    np.save("z.npy", LOGITS)
    np.save("l.npy", LABELS)
    np.save("onehot.npy", np.eye(4)[LABELS])
    names = NAMES.split(",")
    lines = [
        f"r{row},{','.join(map(repr, logits))},{names[label]}"
        for row, (logits, label) in enumerate(zip(LOGITS.tolist(), LABELS, strict=True))
    ]
    Path("z.csv").write_text("\n".join([f"id,{NAMES},y", *lines]) + "\n")


def report(line: str, messages: str = "") -> dict[str, Any]:
    """Return the JSON report of a run that succeeds and prints only these messages."""
    outcome = run(f"softmax-cli xent {line} --format json")
    assert (outcome.code, outcome.err) == (0, messages)
    result: dict[str, Any] = json.loads(outcome.out)
    return result


def refused(line: str, message: str) -> Outcome:
    """Run a line that must end with one line of error that holds the message."""
    outcome = run(f"softmax-cli xent {line}")
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    return outcome
