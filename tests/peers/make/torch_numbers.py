"""Writes files/torch/numbers.json: cross-entropy as PyTorch computes it, loss and gradient.

    pip install torch==2.13.0
    python -m tests.peers.make.torch_numbers

Every combination of what `torch.nn.functional.cross_entropy` offers, in float64.
"""

from __future__ import annotations

import itertools
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).parent.parent / "files" / "torch" / "numbers.json"
IGNORED_BY_DEFAULT = -100


def inputs() -> dict[str, Any]:
    """Logits of rows, one of them confident and right, one confident and wrong; and of images."""
    draw = np.random.default_rng(2016)
    logits = draw.normal(0, 3, (8, 5))
    logits[2], logits[3] = [30, 0, 1, 0, -4], [30, 0, 1, 0, -4]
    labels = np.array([0, 1, 0, 4, 2, 3, 1, 2])
    return {
        "logits": logits.tolist(),
        "labels": labels.tolist(),
        "labels_some_ignored": np.where(np.arange(8) % 3 == 1, IGNORED_BY_DEFAULT, labels).tolist(),
        "targets": draw.dirichlet(np.ones(5), 8).tolist(),
        "class_weights": [0.5, 2.0, 0.0, 1.25, 3.0],
        "images": draw.normal(0, 3, (3, 5, 2)).tolist(),
        "image_labels": draw.integers(0, 5, (3, 2)).tolist(),
        "image_targets": np.moveaxis(draw.dirichlet(np.ones(5), (3, 2)), -1, 1).tolist(),
    }


def cases() -> list[dict[str, Any]]:
    """The options of every call, and the names of its inputs."""
    forms = [
        ("logits", "labels", None),
        ("logits", "labels", 1),
        ("logits", "labels_some_ignored", IGNORED_BY_DEFAULT),
        ("logits", "targets", None),
        ("images", "image_labels", None),
        ("images", "image_labels", 2),
        ("images", "image_targets", None),
    ]
    options = itertools.product(forms, (False, True), (0.0, 0.1, 1.0), ("mean", "sum", "none"))
    return [
        {
            "logits": logits,
            "targets": targets,
            "ignore": ignore,
            "weighted": weighted,
            "smoothing": smoothing,
            "reduction": reduction,
        }
        for (logits, targets, ignore), weighted, smoothing, reduction in options
    ]


def computed(case: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The case with what PyTorch computes."""
    torch: Any = import_module("torch")
    logits = torch.tensor(given[case["logits"]], dtype=torch.float64, requires_grad=True)
    soft = case["targets"].endswith("targets")
    targets = torch.tensor(given[case["targets"]], dtype=torch.float64 if soft else torch.int64)
    weights = torch.tensor(given["class_weights"], dtype=torch.float64)
    ignore = {} if case["ignore"] is None else {"ignore_index": case["ignore"]}
    loss = torch.nn.functional.cross_entropy(
        logits,
        targets,
        weight=weights if case["weighted"] else None,
        reduction=case["reduction"],
        label_smoothing=case["smoothing"],
        **ignore,
    )
    loss.sum().backward()
    return {**case, "loss": loss.tolist(), "gradient": logits.grad.tolist()}


def main() -> None:
    """Write the file."""
    torch: Any = import_module("torch")
    given = inputs()
    numbers = {
        "torch": torch.__version__.partition("+")[0],
        "inputs": given,
        "cases": [computed(case, given) for case in cases()],
    }
    PATH.write_text(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main()
