"""The losses of what XGBoost, LightGBM, scikit-learn and CatBoost predict, to fifty digits."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from tests.peers.rows import FILES, mean_loss
from tests.running import run

IRIS = ["setosa", "versicolor", "virginica"]
PREDICTED = "--from probabilities --binary --labels binary_labels.npy"
CALC = "--id-columns SampleId --label-column Label"


def _array(tool: str, name: str) -> list[Any]:
    path = FILES / tool / name
    values = np.load(path) if path.suffix == ".npy" else np.loadtxt(path)
    return [tuple(row) if np.ndim(row) else row for row in values.astype(float).tolist()]


def _labels(tool: str, name: str = "labels.npy") -> list[int]:
    return [int(label) for label in np.load(FILES / tool / name).tolist()]


def _surprise(probabilities: Sequence[Any]) -> float:
    """Return the mean of -log p."""
    with mpmath.workdps(50):
        return -float(mpmath.fsum(map(mpmath.log, probabilities)) / len(probabilities))


def _of_label(rows: list[Any], labels: list[int]) -> list[Any]:
    return [row[label] for row, label in zip(rows, labels, strict=True)]


def _two(column: list[float]) -> list[tuple[Any, Any]]:
    """Return the probabilities of both classes of the second's, without rounding."""
    with mpmath.workdps(50):
        return [(1 - mpmath.mpf(p), mpmath.mpf(p)) for p in column]


def _sigmoid(column: list[float]) -> list[tuple[float, ...]]:
    return [(0.0, logit) for logit in column]


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("xgboost", "multi_margin.npy"),
        ("xgboost", "multi_margin.txt"),
        ("lightgbm", "raw_score.npy"),
        ("lightgbm", "LightGBM_predict_result.txt"),
        ("sklearn", "decision_function.npy"),
    ],
)
def test_scores_of_classes(tool: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / tool)
    right = mean_loss(_array(tool, name), _labels(tool))
    assert _loss(f"{name} --labels labels.npy") == right
    assert _loss(f"{name} --labels labels.txt") == right


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("xgboost", "multi_softprob.npy"),
        ("lightgbm", "multiclass.npy"),
        ("sklearn", "predict_proba.npy"),
    ],
)
def test_probabilities_of_classes(tool: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / tool)
    right = _surprise(_of_label(_array(tool, name), _labels(tool)))
    assert _loss(f"{name} --from probabilities --labels labels.npy") == right


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("xgboost", "binary_logistic.npy"),
        ("xgboost", "binary_logistic.txt"),
        ("lightgbm", "binary.npy"),
        ("sklearn", "binary_proba.npy"),
    ],
)
def test_the_probability_of_one_class(
    tool: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES / tool)
    labels = _labels(tool, "binary_labels.npy")
    right = _surprise(_of_label(_two(_array(tool, name)), labels))
    assert _loss(f"{name} {PREDICTED}") == right


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("xgboost", "binary_margin.npy"),
        ("lightgbm", "binary_raw_score.npy"),
        ("sklearn", "binary_decision.npy"),
    ],
)
def test_the_score_of_one_class(tool: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / tool)
    right = mean_loss(_sigmoid(_array(tool, name)), _labels(tool, "binary_labels.npy"))
    assert _loss(f"{name} --binary --labels binary_labels.npy") == right


def test_log_probabilities_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "sklearn")
    logs = _array("sklearn", "predict_log_proba.npy")
    right = -float(np.mean(_of_label(logs, _labels("sklearn"))))
    assert _loss("predict_log_proba.npy --from log-probabilities --labels labels.npy") == right


def test_names_of_labels_and_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "sklearn")
    right = mean_loss(_array("sklearn", "decision_function.npy"), _labels("sklearn"))
    line = "decision_function.npy --labels y_test.npy --class-names"
    assert _loss(f"{line} {','.join(IRIS)}") == right


def test_labels_of_two_classes_as_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "sklearn")
    labels = _labels("sklearn", "binary_labels.npy")
    right = mean_loss(_sigmoid(_array("sklearn", "binary_decision.npy")), labels)
    assert _loss("binary_decision.npy --binary --labels signs.npy") == right


def test_tables_of_catboost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "catboost")
    rows, labels = _calc("RawFormulaVal.tsv")
    right = mean_loss(rows, labels)
    assert _loss(f"RawFormulaVal.tsv {CALC} --class-prefix RawFormulaVal:Class=") == right
    rows, labels = _calc("Probability.tsv")
    probabilities = "--from probabilities --class-prefix Probability:Class="
    assert _loss(f"Probability.tsv {CALC} {probabilities}") == _surprise(_of_label(rows, labels))


def test_tables_of_catboost_with_two_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "catboost")
    rows, labels = _calc("binary.tsv")
    logits = [row[0] for row in rows]
    assert _loss(f"binary.tsv {CALC} --binary") == mean_loss(_sigmoid(logits), labels)
    rows, labels = _calc("binary_probability.tsv")
    right = _surprise(_of_label(_two([row[0] for row in rows]), labels))
    assert _loss(f"binary_probability.tsv {CALC} --binary --from probabilities") == right


def _calc(name: str) -> tuple[list[tuple[float, ...]], list[int]]:
    with Path(name).open(newline="") as file:
        _, *lines = csv.reader(file, delimiter="\t")
    labels = [IRIS.index(line[-1]) if line[-1] in IRIS else int(line[-1]) for line in lines]
    return [tuple(map(float, line[1:-1])) for line in lines], labels


def _loss(line: str) -> Any:
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.err) == (0, "")
    return pytest.approx(float(outcome.out), rel=1e-12)
