"""The whole cross product of PyTorch's options gives PyTorch's numbers, library and command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy, cross_entropy_gradient
from tests.peers.make.torch_numbers import PATH, cases, inputs
from tests.running import run

pytestmark = pytest.mark.fast(6)

NUMBERS: dict[str, Any] = json.loads(PATH.read_text())
GIVEN: dict[str, Any] = NUMBERS["inputs"]
CLOSE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-13}


def _named(case: dict[str, Any]) -> str:
    weighted = "weighted" if case["weighted"] else "unweighted"
    ignore = "" if case["ignore"] is None else f" ignore {case['ignore']}"
    return f"{case['targets']}{ignore} {weighted} {case['smoothing']} {case['reduction']}"


every_case = pytest.mark.parametrize("case", NUMBERS["cases"], ids=_named)


def test_the_file_holds_the_cases_of_its_script() -> None:
    keys = cases()[0].keys()
    assert [{key: case[key] for key in keys} for case in NUMBERS["cases"]] == cases()
    assert_allclose(GIVEN["logits"], inputs()["logits"], rtol=1e-12)


@every_case
def test_the_library(case: dict[str, Any]) -> None:
    options: dict[str, Any] = {
        "axis": 1,
        "reduction": case["reduction"],
        "label_smoothing": case["smoothing"],
        "class_weights": GIVEN["class_weights"] if case["weighted"] else None,
        "ignore_labels": [] if case["ignore"] is None else [case["ignore"]],
    }
    logits, targets = GIVEN[case["logits"]], GIVEN[case["targets"]]
    assert_allclose(cross_entropy(logits, targets, **options), case["loss"], **CLOSE)
    assert_allclose(cross_entropy_gradient(logits, targets, **options), case["gradient"], **CLOSE)


@every_case
def test_the_command(case: dict[str, Any], tmp_path: Path) -> None:
    # The command takes a loss a row, with the classes last.
    logits, targets = np.array(GIVEN[case["logits"]]), np.array(GIVEN[case["targets"]])
    soft = case["targets"].endswith("targets")
    np.save(tmp_path / "logits.npy", np.moveaxis(logits, 1, -1))
    np.save(tmp_path / "targets.npy", np.moveaxis(targets, 1, -1) if soft else targets.reshape(-1))
    words = [
        f"softmax-cli xent {tmp_path}/logits.npy --reduction {case['reduction']}",
        f"{'--targets' if soft else '--labels'} {tmp_path}/targets.npy",
        f"--label-smoothing {case['smoothing']} --grad {tmp_path}/gradient.npy",
    ]
    if case["weighted"]:
        words.append("--class-weights " + ",".join(map(str, GIVEN["class_weights"])))
    if case["ignore"] is not None:
        words.append(f"--ignore-label {case['ignore']}")
    outcome = run(" ".join(words))
    assert outcome.code == 0, outcome.err
    printed = np.array(outcome.out.split(), dtype=np.float64)
    assert_allclose(printed, np.reshape(case["loss"], -1), **CLOSE)
    gradient = np.moveaxis(np.load(tmp_path / "gradient.npy"), -1, 1)
    assert_allclose(gradient, case["gradient"], **CLOSE)
